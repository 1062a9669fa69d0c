// At the hour the page before the opening gives way to the one after it; the server is asked a little later, for the state to be there.
document.addEventListener("hour", () => setTimeout(() => location.reload(), 2_000));
