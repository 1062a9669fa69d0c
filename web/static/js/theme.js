// Light and dark. Without this script the link does the same by reloading; the server keeps the choice in a cookie.
const root = document.documentElement;

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-theme-switch]");
  if (!link) return;
  event.preventDefault();
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `__Host-bidhall-theme=${root.dataset.theme}; Path=/; Secure; SameSite=Lax; Max-Age=31536000`;
});
