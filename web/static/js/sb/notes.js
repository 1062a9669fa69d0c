/** Signed notes of the log: verifier keys, checkpoints, witness cosignatures, tlog-proofs (C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof). */
import { b64, concat, equal, fromUtf8, hex, unb64, unhex, utf8 } from "./bytes.js";
import { verify } from "./curves.js";
import { need } from "./errors.js";
import { sha256 } from "./hashes.js";

const CODE = "TICK_PROOF";
const NOTE_KEY = 0x01;
const COSIGNATURE_KEY = 0x04;
const COUNT = /^(0|[1-9][0-9]{0,15})$/;

const keyHash = async (name, type, pub) => (await sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), pub))).slice(0, 4);

/** A verifier key `name+hash+base64`: `{name, type, pub, hash}`; type 1 = a log, 4 = a witness. Refuses: `TICK_PROOF`. */
export async function parseVkey(text) {
  const parts = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text);
  need(parts, CODE, "not a verifier key");
  const body = unb64(parts[3], 33, CODE);
  const type = body[0];
  need(type === NOTE_KEY || type === COSIGNATURE_KEY, CODE, "unknown kind of verifier key");
  const hash = await keyHash(parts[1], type, body.slice(1));
  need(equal(hash, unhex(parts[2])), CODE, "the verifier key's hash is another");
  return { name: parts[1], type, pub: body.slice(1), hash };
}

/** The verifier key text of a public key. */
export async function formatVkey(name, type, pub) {
  return `${name}+${hex(await keyHash(name, type, pub))}+${b64(concat(Uint8Array.of(type), pub))}`;
}

function splitNote(text) {
  const at = text.lastIndexOf("\n\n");
  need(at >= 0 && text.endsWith("\n"), CODE, "not a signed note");
  const lines = text.slice(at + 2, -1).split("\n");
  const signatures = lines.map((line) => {
    const parts = /^\u2014 (\S+) (\S+)$/.exec(line);
    need(parts, CODE, "not a note signature");
    const bytes = unb64(parts[2], undefined, CODE);
    need(bytes.length > 4, CODE, "short note signature");
    return { name: parts[1], hash: bytes.slice(0, 4), body: bytes.slice(4) };
  });
  return { body: text.slice(0, at + 1), signatures };
}

/**
 * Verify a checkpoint. `log`: vkey of the log (its name is the origin); `witnesses`: vkeys whose cosignatures count.
 * Gives `{origin, size, root, text, cosigned: [{name, at: seconds}…]}`. Unknown signatures are ignored, wrong ones of known keys refused.
 * Refuses: `TICK_PROOF`.
 */
export async function verifyCheckpoint(text, { log, witnesses = [] }) {
  const { body, signatures } = splitNote(text);
  const lines = body.slice(0, -1).split("\n");
  need(lines.length === 3 && lines[0] === log.name && COUNT.test(lines[1]), CODE, "not a checkpoint of this log");
  const size = Number(lines[1]);
  need(Number.isSafeInteger(size), CODE, "size");
  const message = utf8(body);
  let signed = false;
  const cosigned = [];
  for (const { name, hash, body: sig } of signatures) {
    if (name === log.name && equal(hash, log.hash)) {
      need(!signed && sig.length === 64 && (await verify(log.pub, message, sig)), CODE, "the log's signature is wrong");
      signed = true;
    }
    const witness = witnesses.find((w) => w.name === name && equal(w.hash, hash));
    if (witness) {
      need(sig.length === 72 && !cosigned.some((c) => c.name === name), CODE, "cosignature");
      const at = Number(new DataView(sig.buffer, sig.byteOffset).getBigUint64(0));
      const stated = concat(utf8(`cosignature/v1\ntime ${at}\n`), message);
      need(Number.isSafeInteger(at) && (await verify(witness.pub, stated, sig.slice(8))), CODE, "a cosignature is wrong");
      cosigned.push({ name, at });
    }
  }
  need(signed, CODE, "not signed by the log");
  return { origin: lines[0], size, root: unb64(lines[2], 32, CODE), text, cosigned };
}

/** Parse `c2sp.org/tlog-proof@v1`: `{index, path: [bytes…], checkpoint: text}`. Refuses: `TICK_PROOF`. */
export function parseTlogProof(text) {
  need(typeof text === "string", CODE, "not a tlog-proof");
  const at = text.indexOf("\n\n");
  need(at >= 0, CODE, "not a tlog-proof");
  const [magic, index, ...hashes] = text.slice(0, at).split("\n");
  need(magic === "c2sp.org/tlog-proof@v1" && /^index /.test(index || "") && COUNT.test(index.slice(6)), CODE, "not a tlog-proof");
  need(hashes.length <= 53, CODE, "path too long");
  return { index: Number(index.slice(6)), path: hashes.map((h) => unb64(h, 32, CODE)), checkpoint: text.slice(at + 2) };
}

/** The text of a tlog-proof. */
export function formatTlogProof({ index, path, checkpoint }) {
  return `c2sp.org/tlog-proof@v1\nindex ${index}\n${path.map((p) => `${b64(p)}\n`).join("")}\n${checkpoint}`;
}

/** The text of downloaded note bytes. */
export const noteText = (bytes) => fromUtf8(bytes);
