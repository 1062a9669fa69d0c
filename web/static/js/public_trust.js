// Whom this page trusts, as the server wrote it into a data attribute: parsed once for the verifying modules.
import { unb64u } from "./sb/bytes.js";
import { parseVkey } from "./sb/notes.js";

export async function trustOf(text) {
  const told = JSON.parse(text);
  const witnesses = [];
  for (const key of told.witnesses) witnesses.push(await parseVkey(key));
  return { platformKey: told.platform_keys.map((key) => unb64u(key, 32)), log: await parseVkey(told.log_key), witnesses, quorum: told.quorum };
}
