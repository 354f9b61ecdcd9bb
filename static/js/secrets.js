// Credentials that were used on a page: none of them is in what is shown or copied, unless somebody asks for it.

/** Shorter ones are no secrets, and would be found in every text. */
const SHORTEST = 6;

export class Secrets {
  /** What stands for a credential, by how it may be written. @type {Map<string, string>} */
  #placeholders = new Map();

  /** @param {string} secret @param {string} placeholder */
  add(secret, placeholder) {
    if (secret.length < SHORTEST) return;
    this.#placeholders.set(secret, placeholder);
    this.#placeholders.set(JSON.stringify(secret).slice(1, -1), placeholder);
  }

  /** A text without them. @param {string} text */
  mask(text) {
    for (const [secret, placeholder] of this.#placeholders) text = text.replaceAll(secret, placeholder);
    return text;
  }
}
