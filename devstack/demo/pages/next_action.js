// Reads `nextAction` of the payment service: what the customer must do at the gateway.

/** The address to redirect to; null if there is none, or if it is not http or https. */
export function addressOf(nextAction) {
  if (nextAction?.type !== "redirect" || !URL.canParse(nextAction.url)) return null;
  const { href, protocol } = new URL(nextAction.url);
  return protocol === "https:" || protocol === "http:" ? href : null;
}

/** A sentence with the time until which the customer can act; empty if the time is invalid. */
export function deadlineOf({ expiresAt }) {
  const at = new Date(expiresAt);
  if (Number.isNaN(at.getTime())) return "";
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return `The payment waits until ${time}.`;
}
