// <script type="module" src="SERVICE/static/widget.js"></script>
// <butaca-list user="21" k="5"></butaca-list>, or history="Toy Story (1995) | Heat (1995)" for someone new.
const service = new URL("..", import.meta.url);

class ButacaList extends HTMLElement {
  static observedAttributes = ["user", "history", "k", "key"];

  connectedCallback() { this.turn ??= Promise.resolve().then(() => this.show()); }
  attributeChangedCallback() { if (this.isConnected) this.connectedCallback(); }

  async show() {
    this.turn = null; // what changes from here on asks again
    const [user, key, had = ""] = ["user", "key", "history"].map((name) => this.getAttribute(name) ?? undefined);
    const body = JSON.stringify({ user, history: had.split("|").map((t) => t.trim()).filter(Boolean), k: Number(this.getAttribute("k") ?? 5) });
    const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
    const answer = await fetch(new URL("v1/recommend", service), { method: "POST", headers, body }).then((r) => r.json()).catch(String);
    if (this.turn) return; // a newer question is on its way
    const list = document.createElement("ol");
    list.append(...(answer.items ?? []).map(({ title }) => Object.assign(document.createElement("li"), { textContent: title })));
    this.replaceChildren(list);
    this.dispatchEvent(new CustomEvent(answer.items ? "list" : "fail", { detail: answer, bubbles: true }));
  }
}
customElements.define("butaca-list", ButacaList);
