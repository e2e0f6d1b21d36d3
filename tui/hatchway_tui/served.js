// A key that was pressed anywhere on this page is for the dashboard: p pauses without a click first.
function toTheTerminal() {
  const input = document.querySelector(".xterm-helper-textarea");
  if (input && document.activeElement !== input) input.focus();
}
window.addEventListener("load", () => setTimeout(toTheTerminal, 0));
window.addEventListener("focus", toTheTerminal);
window.addEventListener("keydown", toTheTerminal, true);
