// Two bars for the form and for each file: sealed, uploaded. Where a file's bytes lie in the content is known before anything is read.
import { canonical } from "./sb/canonical.js";
import { layOut } from "./sb/content.js";
import { sizeWords } from "./bidder_form.js";
import { at, element, fileRow, words } from "./bidder_page.js";

function bar(bars, label, name, kind) {
  const right = element("span");
  const progress = element("progress", { kind });
  progress.max = 100;
  progress.value = 0;
  progress.setAttribute("aria-label", `${name} ${label}`);
  bars.append(element("div", {}, element("span", {}, element("span", { text: label }), right), progress));
  return (share) => {
    progress.value = share;
    right.textContent = `${Math.floor(share)}%`;
    return share;
  };
}

/** Rows for what is being sealed, shown in `#bars`. `files`: `[{name, size, type, blob}…]`. */
export function barsFor(announce, files) {
  const { manifest, blob, plen } = layOut({ announce, files });
  let from = blob.size - files.reduce((sum, file) => sum + file.blob.size, 0);
  const rows = [{ name: words.form_row, size: canonical(manifest).length, from: 0, to: from }];
  for (const { name, blob: { size } } of files) {
    rows.push({ name, size, from, to: from + size });
    from += size;
  }
  return shown(rows, plen, true);
}

/** One row for a sealed file whose content nobody here can see. */
export const barsForSealed = (name, size) => shown([{ name, size, from: 0, to: size }], size, false);

function shown(rows, plen, sealing) {
  for (const one of rows) {
    one.tag = element("span");
    one.line = fileRow(one.name, sizeWords(one.size), [one.tag]);
    const bars = element("div", { kind: "bars" });
    one.seal = sealing ? bar(bars, words.sealed, one.name, "p--sealed") : (share) => share;
    one.sealShare = sealing ? 0 : 100;
    one.sent = bar(bars, words.sent, one.name, "");
    one.line.append(bars);
  }
  rows.plen = plen;
  at("bars").replaceChildren(...rows.map((one) => one.line));
  move(rows, "sent", -1);
  return rows;
}

/** Move the bars of one kind (`seal` or `sent`): `done` bytes of `total`. */
export function moveBars(rows, kind, done, total) {
  move(rows, kind, done === total ? rows.plen : (done / total) * rows.plen);
}

function move(rows, kind, done) {
  for (const one of rows) {
    const share = one.to === one.from ? (done >= one.to ? 100 : 0) : Math.min(100, Math.max(0, ((done - one.from) / (one.to - one.from)) * 100));
    one[`${kind}Share`] = one[kind](share);
    const ready = one.sentShare === 100, going = one.sealShare > 0;
    one.tag.className = ready ? "tag tag--ok" : going ? "tag tag--now" : "tag tag--plain";
    one.tag.textContent = ready ? words.ready : going ? words.running : words.queue;
  }
}
