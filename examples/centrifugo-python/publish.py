import sys

from pyroadrunner.sdk.centrifugo import Centrifugo

with Centrifugo() as centrifugo:
    centrifugo.publish("news", {"text": sys.argv[1]})
