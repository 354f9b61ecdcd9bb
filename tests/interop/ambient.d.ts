// A style sheet that a module imports: what browsers make of it.
declare module "*.css" {
  const sheet: CSSStyleSheet;
  export default sheet;
}
