// What can be seen of a chosen file before sealing, by its name, its first and last bytes. trading/files/bid_files.py holds the same rules for
// `bidhall seal`; a test holds the two against each other.

/** Ending → kinds whose marks a file of that ending may begin with. */
export const ENDINGS = {
  pdf: ["pdf"], ofd: ["zip"], zip: ["zip"], docx: ["zip", "ole"], xlsx: ["zip", "ole"], pptx: ["zip", "ole"],
  doc: ["ole", "rtf"], xls: ["ole"], ppt: ["ole"], wps: ["ole", "zip"], et: ["ole", "zip"], rtf: ["rtf"],
  png: ["png"], jpg: ["jpeg"], jpeg: ["jpeg"], gif: ["gif"], bmp: ["bmp"], tif: ["tiff"], tiff: ["tiff"],
  rar: ["rar"], "7z": ["7z"], dwg: ["dwg"], txt: [], csv: [], xml: [], md: [],
};
/** Kind → marks (latin-1) at the first byte; those of a PDF may come within the first 1024. */
export const MARKS = {
  pdf: ["%PDF"], zip: ["PK\x03\x04", "PK\x05\x06"], ole: ["\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"], rtf: ["{\\rtf"], png: ["\x89PNG\r\n\x1a\n"],
  jpeg: ["\xff\xd8\xff"], gif: ["GIF87a", "GIF89a"], bmp: ["BM"], tiff: ["II*\0", "MM\0*"], rar: ["Rar!\x1a\x07"], "7z": ["7z\xbc\xaf\x27\x1c"],
  dwg: ["AC10"],
};
const PROGRAMS = /\.(exe|com|bat|cmd|scr|msi|lnk|vbs|js|jar|ps1|sh|apk|dll|hta|pif)$/i;
const PROGRAM_MARKS = ["MZ", "\x7fELF", "#!"];
const BAD_NAME = /[/\\\u0000-\u001f\u007f-\u009f]/;
const HEAD = 1024, TAIL = 65_557; // a ZIP's last record begins within so many bytes of its end
const STOPS = new Set(["empty_file", "bad_name", "program", "wrong_kind"]);
const bytesOf = new TextEncoder();

/** Codes of what is wrong with a file: `[[state, code]…]`, state `stop` or `warn`. `head`, `tail`: its first and last bytes as latin-1. */
export function judge(name, size, head, tail) {
  const codes = [];
  const length = bytesOf.encode(name).length;
  const ending = /\.([A-Za-z0-9]+)$/.exec(name)?.[1].toLowerCase() ?? "";
  if (BAD_NAME.test(name) || length < 1 || length > 255 || name === "." || name === "..") codes.push("bad_name");
  if (!size) codes.push("empty_file");
  else {
    const begins = (kind) => MARKS[kind].some((mark) => (kind === "pdf" ? head.includes(mark) : head.startsWith(mark)));
    const wanted = Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : null;
    if (PROGRAMS.test(name) || PROGRAM_MARKS.some((mark) => head.startsWith(mark))) codes.push("program");
    else if (!wanted) codes.push("unusual");
    else if (wanted.length && !wanted.some(begins)) codes.push("wrong_kind");
    else if (wanted.length) {
      if (locked(ending, head, tail, begins)) codes.push("locked");
      if ((begins("pdf") && !tail.includes("%%EOF")) || (begins("zip") && !tail.includes("PK\x05\x06"))) codes.push("cut_short");
    }
  }
  return codes.map((code) => [STOPS.has(code) ? "stop" : "warn", code]);
}

function locked(ending, head, tail, begins) {
  if (begins("pdf")) return tail.includes("/Encrypt");
  if (begins("zip")) return head.startsWith("PK\x03\x04") && (head.charCodeAt(6) & 1) === 1;
  return ["docx", "xlsx", "pptx"].includes(ending); // an office file of today in the container of old is one with a password
}

function latin1(bytes) { // TextDecoder's latin1 is windows-1252
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}

const seen = new WeakMap();

/** judge() of a File, read once. */
export async function examine(file) {
  if (!seen.has(file)) {
    const read = async (part) => latin1(new Uint8Array(await part.arrayBuffer()));
    seen.set(file, (async () => {
      try {
        const [head, tail] = await Promise.all([read(file.slice(0, HEAD)), read(file.slice(-TAIL))]);
        return judge(file.name.normalize("NFC"), file.size, head, tail);
      } catch {
        return [["stop", "gone_file"]]; // moved, renamed or changed since it was chosen
      }
    })());
  }
  return seen.get(file);
}
