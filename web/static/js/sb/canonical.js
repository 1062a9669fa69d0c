/** Canonical JSON (the protocol §1): one byte string per value, the ground of every hash and signature. */
import { equal, fromUtf8, utf8 } from "./bytes.js";
import { need, refuse, SealedBidError } from "./errors.js";

const KEY = /^[a-z][a-z0-9_]{0,39}$/;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const MAX_DEPTH = 16;

function write(value, depth) {
  need(depth <= MAX_DEPTH, "JSON_PROFILE", "nested too deep");
  switch (typeof value) {
    case "boolean":
      return value ? "true" : "false";
    case "number":
      need(Number.isSafeInteger(value) && !Object.is(value, -0), "JSON_PROFILE", "not an integer within 2^53-1");
      return String(value);
    case "string":
      need(!LONE_SURROGATE.test(value), "JSON_PROFILE", "lone surrogate");
      return JSON.stringify(value);
    case "object":
      need(value !== null, "JSON_PROFILE", "null");
      if (Array.isArray(value)) {
        const items = [];
        for (let i = 0; i < value.length; i++) items.push(write(value[i], depth + 1));
        return `[${items.join(",")}]`;
      }
      need([Object.prototype, null].includes(Object.getPrototypeOf(value)), "JSON_PROFILE", "not a plain object");
      return `{${Object.keys(value).sort().map((key) => {
        need(KEY.test(key), "JSON_PROFILE", "key outside the alphabet");
        return `${JSON.stringify(key)}:${write(value[key], depth + 1)}`;
      }).join(",")}}`;
    default:
      return refuse("JSON_PROFILE", `a ${typeof value} has no place in JSON`);
  }
}

/** The canonical text of a value. Refuses: `JSON_PROFILE`. */
export const canonicalText = (value) => write(value, 0);

/** The canonical bytes of a value. Refuses: `JSON_PROFILE`. */
export const canonical = (value) => utf8(write(value, 0));

/** The value of canonical bytes: parsed, written again, compared. Refuses with `code` whatever is spelled otherwise. */
export function parseCanonical(bytes, code = "JSON_PROFILE") {
  try {
    const value = JSON.parse(fromUtf8(bytes));
    need(equal(canonical(value), bytes), code, "not canonical");
    return value;
  } catch (fault) {
    throw new SealedBidError(code, fault instanceof SealedBidError ? fault.why : "not JSON");
  }
}

/** True iff `value` is an object with exactly these keys. */
export function hasKeys(value, keys) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const found = Object.keys(value);
  return found.length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}
