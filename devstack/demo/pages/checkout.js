// The checkout: shows the offers, and has the picked one placed as an order, which the payment page pays.

import { place } from "./handover.js";
import { ask } from "./service.js";

const form = document.getElementById("checkout");
const offers = document.getElementById("offers");
const pay = document.getElementById("pay");
const trouble = document.getElementById("trouble");

function show(offer) {
  const row = offers.querySelector("template").content.cloneNode(true);
  const radio = row.querySelector("input");
  radio.value = offer.name;
  radio.dataset.price = offer.price;
  for (const part of ["title", "price", "note"]) row.querySelector(`.${part}`).textContent = offer[part];
  offers.append(row);
}

function showPrice() {
  pay.textContent = `Pay ${form.querySelector("[name=offer]:checked").dataset.price}`;
}

function order() {
  const { offer, paymentMethod, slowly } = Object.fromEntries(new FormData(form));
  return place({ offer, paymentMethod, slowly: slowly === "on" });
}

async function attempt(work) {
  pay.disabled = true;
  trouble.textContent = "";
  try {
    await work();
  } catch (failure) {
    trouble.textContent = failure.message;
    pay.disabled = false;
    pay.focus();
  }
}

async function open() {
  (await ask("/offers")).forEach(show);
  form.querySelector("[name=offer]").checked = true;
  showPrice();
  form.hidden = false;
  pay.disabled = false;
}

form.addEventListener("change", showPrice);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(order);
});
// A browser may show this page again as it was left, with its button pressed.
addEventListener("pageshow", (event) => {
  if (event.persisted) pay.disabled = false;
});
attempt(open);
