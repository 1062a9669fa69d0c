/** Times of the protocol §1: `YYYY-MM-DDTHH:MM:SSZ`, UTC, whole seconds, from 1970 on; as strings they sort as times. */
import { need } from "./errors.js";

const SHAPE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/;

/** True iff `text` is a time of the protocol: a real date, seconds 00..59, no fraction or offset. */
export function isTime(text) {
  if (typeof text !== "string" || text.length !== 20 || !SHAPE.test(text)) return false;
  const ms = Date.parse(text);
  return Number.isFinite(ms) && ms >= 0 && formatTime(ms / 1000) === text;
}

/** Seconds since 1970. Refuses with `code`. */
export function seconds(text, code = "JSON_PROFILE") {
  need(isTime(text), code, "not a time");
  return Date.parse(text) / 1000;
}

/** The time of a number of seconds since 1970 (fractions are floored). */
export function formatTime(secs) {
  return `${new Date(Math.floor(secs) * 1000).toISOString().slice(0, 19)}Z`;
}
