// What the customer must do at the gateway, as the payment service says it.

/** The address to go to; null if there is none, or if it is not of the web. */
export function addressOf(nextAction) {
  if (nextAction?.type !== "redirect" || !URL.canParse(nextAction.url)) return null;
  const { href, protocol } = new URL(nextAction.url);
  return protocol === "https:" || protocol === "http:" ? href : null;
}

/** Until when it can be done, as a sentence. */
export function deadlineOf({ expiresAt }) {
  const at = new Date(expiresAt);
  if (Number.isNaN(at.getTime())) return "";
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return `The payment waits until ${time}.`;
}
