/** QR codes (ISO/IEC 18004) of digits, capitals and ` $%*+-./:`, error correction M: what a recovery sheet prints. Made in the page. */
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const MOST = 25;
const CHECKS = [0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28];
const BLOCKS = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21];

const sizeOf = (version) => version * 4 + 17;

/** Modules left for data and checks in a version. */
function room(version) {
  let count = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const places = Math.floor(version / 7) + 2;
    count -= (25 * places - 10) * places - 55;
    if (version >= 7) count -= 36;
  }
  return count;
}

const wordsOf = (version) => Math.floor(room(version) / 8);
const dataOf = (version) => wordsOf(version) - CHECKS[version] * BLOCKS[version];

function times(x, y) {
  let z = 0;
  for (let i = 7; i >= 0; i--) z = (z << 1) ^ ((z >>> 7) * 0x11d) ^ (((y >>> i) & 1) * x);
  return z;
}

function divisor(degree) {
  const made = new Array(degree - 1).fill(0).concat([1]);
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) made[j] = times(made[j], root) ^ (made[j + 1] ?? 0);
    root = times(root, 2);
  }
  return made;
}

function remainder(data, by) {
  const rest = by.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    by.forEach((coefficient, i) => { rest[i] ^= times(coefficient, factor); });
  }
  return rest;
}

function bitsOf(text, version) {
  const bits = [];
  const put = (value, length) => { for (let i = length - 1; i >= 0; i--) bits.push((value >>> i) & 1); };
  put(2, 4);
  put(text.length, version < 10 ? 9 : version < 27 ? 11 : 13);
  for (let i = 0; i < text.length; i += 2) {
    const first = ALPHABET.indexOf(text[i]);
    if (i + 1 < text.length) put(first * 45 + ALPHABET.indexOf(text[i + 1]), 11);
    else put(first, 6);
  }
  return bits;
}

function codewords(text) {
  let version = 1;
  while (version <= MOST && bitsOf(text, version).length > dataOf(version) * 8) version++;
  if (version > MOST || [...text].some((one) => !ALPHABET.includes(one))) throw new RangeError("no QR code of this text");
  const bits = bitsOf(text, version);
  for (let i = 0; i < 4 && bits.length < dataOf(version) * 8; i++) bits.push(0);
  while (bits.length % 8) bits.push(0);
  const data = [];
  for (let i = 0; i < bits.length; i += 8) data.push(bits.slice(i, i + 8).reduce((byte, bit) => byte * 2 + bit, 0));
  for (let pad = 0xec; data.length < dataOf(version); pad ^= 0xec ^ 0x11) data.push(pad);
  return { version, words: interleave(data, version) };
}

function interleave(data, version) {
  const count = BLOCKS[version], checks = CHECKS[version], by = divisor(checks);
  const short = Math.floor(wordsOf(version) / count) - checks, longer = count - (wordsOf(version) % count);
  const blocks = [];
  for (let i = 0, at = 0; i < count; i++) {
    const own = data.slice(at, at += short + (i < longer ? 0 : 1));
    blocks.push({ own, check: remainder(own, by) });
  }
  const made = [];
  for (let i = 0; i <= short; i++) for (const { own } of blocks) if (i < own.length) made.push(own[i]);
  for (let i = 0; i < checks; i++) for (const { check } of blocks) made.push(check[i]);
  return made;
}

function centres(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2, size = sizeOf(version);
  const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  const made = [6];
  for (let at = size - 7; made.length < count; at -= step) made.splice(1, 0, at);
  return made;
}

function frame(version) {
  const size = sizeOf(version);
  const dark = Array.from({ length: size }, () => new Uint8Array(size));
  const fixed = Array.from({ length: size }, () => new Uint8Array(size));
  const set = (x, y, value) => { if (x >= 0 && y >= 0 && x < size && y < size) { dark[y][x] = value ? 1 : 0; fixed[y][x] = 1; } };
  for (let i = 0; i < size; i++) { set(6, i, i % 2 === 0); set(i, 6, i % 2 === 0); }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
    for (let dy = -4; dy <= 4; dy++) for (let dx = -4; dx <= 4; dx++) {
      const far = Math.max(Math.abs(dx), Math.abs(dy));
      set(cx + dx, cy + dy, far !== 2 && far !== 4);
    }
  }
  const at = centres(version), last = at.length - 1;
  at.forEach((cx, i) => at.forEach((cy, j) => {
    if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) return;
    for (let dy = -2; dy <= 2; dy++) for (let dx = -2; dx <= 2; dx++) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
  }));
  format(set, size, 0);
  if (version >= 7) {
    let rest = version;
    for (let i = 0; i < 12; i++) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
    const bits = (version << 12) | rest;
    for (let i = 0; i < 18; i++) {
      const a = size - 11 + (i % 3), b = Math.floor(i / 3);
      set(a, b, (bits >>> i) & 1);
      set(b, a, (bits >>> i) & 1);
    }
  }
  return { size, dark, fixed, set };
}

function format(set, size, mask) {
  let rest = mask; // error correction M is 00
  for (let i = 0; i < 10; i++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
  const bits = ((mask << 10) | rest) ^ 0x5412;
  const bit = (i) => (bits >>> i) & 1;
  for (let i = 0; i <= 5; i++) set(8, i, bit(i));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let i = 9; i < 15; i++) set(14 - i, 8, bit(i));
  for (let i = 0; i < 8; i++) set(size - 1 - i, 8, bit(i));
  for (let i = 8; i < 15; i++) set(8, size - 15 + i, bit(i));
  set(8, size - 8, 1);
}

const MASKS = [
  (x, y) => (x + y) % 2 === 0, (x, y) => y % 2 === 0, (x) => x % 3 === 0, (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0, (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0, (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

function lay(words, { size, dark, fixed }) {
  let i = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) for (let j = 0; j < 2; j++) {
      const x = right - j, y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      if (fixed[y][x] || i >= words.length * 8) continue;
      dark[y][x] = (words[i >>> 3] >>> (7 - (i & 7))) & 1;
      i++;
    }
  }
}

/** The modules of the code of a text, rows of 0 and 1, without the quiet zone of four. `mask`: 0 to 7; readers take any. */
export function qrModules(text, mask = 0) {
  const { version, words } = codewords(text);
  const made = frame(version);
  lay(words, made);
  for (let y = 0; y < made.size; y++) for (let x = 0; x < made.size; x++) if (!made.fixed[y][x] && MASKS[mask](x, y)) made.dark[y][x] ^= 1;
  format(made.set, made.size, mask);
  return made.dark.map((row) => [...row]);
}

/** The code as an SVG element, quiet zone included. `label`: for who does not see it. */
export function qrPicture(text, label) {
  const rows = qrModules(text, 3), size = rows.length + 8, space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("viewBox", `0 0 ${size} ${size}`);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  picture.setAttribute("class", "qr");
  const ground = document.createElementNS(space, "rect");
  for (const [name, value] of [["width", size], ["height", size], ["fill", "#fff"]]) ground.setAttribute(name, value);
  const path = document.createElementNS(space, "path");
  path.setAttribute("fill", "#000");
  path.setAttribute("d", rows.flatMap((row, y) => row.map((one, x) => (one ? `M${x + 4} ${y + 4}h1v1h-1z` : ""))).join(""));
  picture.append(ground, path);
  return picture;
}
