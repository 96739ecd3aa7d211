// The checkout page: shows the offers, and places an order. The payment page then pays it.

import { placeOrder } from "./checkout_session.js";
import { fetchJson } from "./http.js";

const form = document.getElementById("checkout");
const offers = document.getElementById("offers");
const pay = document.getElementById("pay");
const problem = document.getElementById("problem");

function showOffer(offer) {
  const row = offers.querySelector("template").content.cloneNode(true);
  const radio = row.querySelector("input");
  radio.value = offer.name;
  radio.dataset.price = offer.price;
  for (const name of ["title", "price", "note"]) row.querySelector(`.${name}`).textContent = offer[name];
  offers.append(row);
}

function showPrice() {
  pay.textContent = `Pay ${form.querySelector("[name=offer]:checked").dataset.price}`;
}

function submitOrder() {
  const { offer, paymentMethod, slowly } = Object.fromEntries(new FormData(form));
  return placeOrder({ offer, paymentMethod, slowly: slowly === "on" });
}

/** Runs the action, and shows why it failed. Until then the button is disabled. */
async function run(action) {
  pay.disabled = true;
  problem.textContent = "";
  try {
    await action();
  } catch (error) {
    problem.textContent = error.message;
    pay.disabled = false;
    pay.focus();
  }
}

async function open() {
  (await fetchJson("/offers")).forEach(showOffer);
  form.querySelector("[name=offer]").checked = true;
  showPrice();
  form.hidden = false;
  pay.disabled = false;
}

form.addEventListener("change", showPrice);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  run(submitOrder);
});
// The browser's Back button may show this page as it was left, with its button disabled.
addEventListener("pageshow", (event) => {
  if (event.persisted) pay.disabled = false;
});
run(open);
