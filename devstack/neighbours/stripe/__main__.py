"""Runs the Stripe-shaped gateway: `python -m devstack.neighbours.stripe`."""

from devstack.neighbours.service import serve
from devstack.neighbours.settings import NeighbourSettings
from devstack.neighbours.stripe.app import create_app

if __name__ == "__main__":
    settings = NeighbourSettings()
    serve(create_app(settings), settings, settings.stripe_port)
