// At the hour the page before the opening gives way to the one after it; the server is asked a little later, for the state to be there.
import { loadAnew } from "./page.js";

document.addEventListener("hour", () => setTimeout(() => loadAnew(), 2_000));
