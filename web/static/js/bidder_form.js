// The opening form of a bid: read, checked before sealing, amounts in capital figures. Nothing here leaves the page.

const DIGITS = "零壹贰叁肆伍陆柒捌玖";
const WITHIN = ["", "拾", "佰", "仟"];

/** Hundredths of yuan as a BigInt of an amount as typed, or null. */
export function fen(text) {
  const plain = text.trim().replace(/[,，\s]/g, "");
  if (!/^(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?$/.test(plain)) return null;
  const [whole, part = ""] = plain.split(".");
  return BigInt(whole) * 100n + BigInt(part.padEnd(2, "0"));
}

/** 280000000n → "2800000.00" */
export const yuan = (minor) => `${minor / 100n}.${String(minor % 100n).padStart(2, "0")}`;

/** 280000000n → "2,800,000.00" */
export const grouped = (minor) => yuan(minor).replace(/\B(?=(\d{3})+(?=\.))/g, ",");

function four(n) {
  let text = "", nought = false;
  for (let place = 3; place >= 0; place--) {
    const digit = Math.floor(n / 10 ** place) % 10;
    if (digit) {
      text += (nought ? "零" : "") + DIGITS[digit] + WITHIN[place];
      nought = false;
    } else if (text) nought = true;
  }
  return text;
}

function underYi(n) {
  const above = Math.floor(n / 10_000), below = n % 10_000;
  let text = above ? `${four(above)}万` : "";
  if (below) text += (above && below < 1000 ? "零" : "") + four(below);
  return text;
}

/** Capital figures (大写), as trading/kernel/amount_words.py writes them: 818000000n → "捌佰壹拾捌万元整". */
export function amountWords(minor) {
  const whole = minor / 100n, jiao = Number(minor / 10n % 10n), cents = Number(minor % 10n);
  const above = Number(whole / 100_000_000n), below = Number(whole % 100_000_000n);
  let text = above ? `${underYi(above)}亿` : "";
  if (below) text += (above && below < 10_000_000 ? "零" : "") + underYi(below);
  if (text) text += "元";
  if (!jiao && !cents) return `${text || "零元"}整`;
  if (jiao) text += `${DIGITS[jiao]}角`;
  else if (text) text += "零";
  return cents ? `${text}${DIGITS[cents]}分` : `${text}整`;
}

/**
 * Read and check the form. `fields`: the lot's definition; `typed(key)` → text; `label(key)` → its words; `words`: sentences.
 * Gives `{announce, faults: [{key, text}…]}`; announce has exactly what will be read out.
 */
export function readForm(fields, typed, label, words) {
  const announce = {}, faults = [];
  const fault = (key, text) => faults.push({ key, text: text.replace("{0}", label(key)) });
  for (const { key, type, required } of fields) {
    const text = typed(key).normalize("NFC").trim();
    if (!text) {
      if (required) fault(key, words.required);
      continue;
    }
    if (type === "money") {
      const amount = fen(text);
      if (amount === null) fault(key, words.bad_money);
      else if (amount === 0n) fault(key, words.zero);
      else announce[key] = yuan(amount);
    } else if ((type === "days" || type === "count") && !/^(0|[1-9][0-9]{0,5})$/.test(text)) fault(key, words.bad_whole);
    else if (type === "percent" && !/^(0|[1-9][0-9]{0,2})(\.[0-9]{1,4})?$/.test(text)) fault(key, words.bad_percent);
    else if (type === "text" && text.length > 500) fault(key, words.too_long);
    else announce[key] = text;
  }
  return { announce, faults };
}

/** Bytes in words, as the server writes them: 1.3 MB. */
export function sizeWords(octets) {
  const units = ["B", "KB", "MB", "GB"];
  let at = 0, n = octets;
  while (n >= 1000 && at < units.length - 1) { n /= 1000; at += 1; }
  return `${at ? n.toFixed(1) : n} ${units[at]}`;
}
