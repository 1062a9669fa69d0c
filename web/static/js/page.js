// The address of the page that is shown. A form that was refused is shown again as the answer to its act, under the act's address, which
// nobody can load; the page says its own then.
export const pageAddress = () => document.documentElement.dataset.page ?? location.href;

// Load the page anew, and never send a form a second time.
export function loadAnew() {
  const own = document.documentElement.dataset.page;
  if (own) location.replace(own);
  else location.reload();
}
