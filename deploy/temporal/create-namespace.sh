#!/bin/sh
# Creates the payments' namespace once the frontend serves; finished payments stay for 30 days.
set -eu

until temporal operator cluster health; do sleep 1; done
until temporal operator namespace describe --namespace default; do
    temporal operator namespace create --namespace default --retention 30d || sleep 1
done
