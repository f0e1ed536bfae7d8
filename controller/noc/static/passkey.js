// Asks the browser for a passkey, or to make one. Every word that is shown comes from the page.
"use strict";
(() => {
  const bytes = (text) => {
    const plain = text.replaceAll("-", "+").replaceAll("_", "/");
    return Uint8Array.from(atob(plain), (c) => c.charCodeAt(0));
  };
  const text = (buffer) => {
    if (!buffer) return null;
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  const posted = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };
  const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const told = (found, parts) => ({
    id: found.id, rawId: text(found.rawId), type: found.type,
    authenticatorAttachment: found.authenticatorAttachment ?? undefined,
    clientExtensionResults: {},
    response: Object.fromEntries(parts.map((part) => [part, text(found.response[part])])),
  });
  const signIn = async (button) => {
    const asked = await posted("/noc/passkey/ask", { second: "second" in button.dataset });
    const found = await navigator.credentials.get({
      publicKey: {
        ...asked, challenge: bytes(asked.challenge), allowCredentials: named(asked.allowCredentials),
      },
    });
    const parts = ["clientDataJSON", "authenticatorData", "signature", "userHandle"];
    const answer = told(found, parts);
    if (answer.response.userHandle === null) delete answer.response.userHandle;
    const next = await posted("/noc/passkey/answer", { answer, back: button.dataset.back });
    location.assign(next.to);
  };
  const add = async (button) => {
    const password = document.getElementById("passkey-password")?.value ?? "";
    const asked = await posted("/noc/me/passkeys/ask", { password });
    const found = await navigator.credentials.create({
      publicKey: {
        ...asked, challenge: bytes(asked.challenge),
        user: { ...asked.user, id: bytes(asked.user.id) },
        excludeCredentials: named(asked.excludeCredentials),
      },
    });
    const name = document.getElementById("passkey-name")?.value ?? "";
    const answer = told(found, ["clientDataJSON", "attestationObject"]);
    await posted("/noc/me/passkeys", { answer, name });
    location.assign("/noc/me");
  };
  const button = document.getElementById("passkey");
  const why = document.getElementById("passkey-why");
  if (!button || !window.PublicKeyCredential) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    if (why) why.hidden = true;
    try {
      await ("add" in button.dataset ? add(button) : signIn(button));
    } catch {
      if (why) {
        why.textContent = button.dataset.failed;
        why.hidden = false;
      }
    } finally {
      button.disabled = false;
    }
  });
})();
