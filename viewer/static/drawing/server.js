// What a drawing asks the server: also after the session has ended and its person has logged in again.

const parser = new DOMParser();

// Nobody is logged in: what is drawn waits for it.
export class SessionEnded extends Error {}

// Another person has logged in: nothing of the first one goes under that name.
export class OtherPerson extends Error {}

export class Server {
  // address: of the scan; person: the account that draws.
  constructor(address, person) {
    Object.assign(this, { address, person });
    this.csrf = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRF-Token"];
  }

  // `make` gives the request's options with a csrf; it is made anew if that has changed.
  async ask(path, make) {
    let answer = await fetch(this.address + path, make(this.csrf));
    if (answer.status === 401 || answer.status === 403) {
      await this.renew();
      answer = await fetch(this.address + path, make(this.csrf));
    }
    if (!answer.ok) throw new Error(await faultOf(answer));
    return answer;
  }

  async renew() {
    const answer = await fetch(this.address);
    if (answer.status === 401) throw new SessionEnded();
    const page = parser.parseFromString(await answer.text(), "text/html");
    const { person } = page.querySelector("[data-person]")?.dataset ?? {};
    if (person !== this.person) throw new OtherPerson();
    this.csrf = JSON.parse(page.body.getAttribute("hx-headers"))["X-CSRF-Token"];
  }

  async draft() {
    const answer = await this.ask("/draft", () => ({}));
    return answer.status === 204 ? null : answer.arrayBuffer();
  }

  // Gives back { figures, others }.
  async keep(packed) {
    const answer = await this.ask("/draft", (csrf) => ({
      method: "PUT", headers: { "X-CSRF-Token": csrf, "Content-Type": "application/gzip" }, body: packed,
    }));
    return answer.json();
  }

  drop() {
    return this.ask("/draft", (csrf) => ({
      method: "DELETE", headers: { "X-CSRF-Token": csrf }, keepalive: true,
    }));
  }

  // As the form of an upload is sent.
  send(packed, fields) {
    return this.ask("/corrections", (csrf) => {
      const form = new FormData();
      for (const [name, value] of Object.entries({ csrf, ...fields, drawn: "1" })) form.append(name, value);
      form.append("mask", new Blob([packed]), "drawn.nii.gz");
      return { method: "POST", body: form };
    });
  }
}

async function faultOf(answer) {
  const page = parser.parseFromString(await answer.text(), "text/html");
  return (page.querySelector("main p") ?? page.body).textContent.trim();
}
