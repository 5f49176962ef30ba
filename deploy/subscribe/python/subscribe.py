"""
Follows token-events.v1, one line per event: position, event id, type, late, token ref, and what its sealed part holds.

  apt-get install python3-confluent-kafka python3-jwcrypto      (or: pip install -r requirements.txt)
  KAFKA_BROKERS=127.0.0.1:9092 GROUP_ID=my-team.my-service /usr/bin/python3 subscribe.py

TOPIC is token-events.v1 if not set; CREDENTIALS_FILE is the key file of those who may open what is sealed. Any error ends the
process: its supervisor starts it again where it last committed.
"""
import hashlib
import json
import os
import signal
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

topic = os.environ.get("TOPIC", "token-events.v1")
key_file = os.environ.get("CREDENTIALS_FILE")
keys = {}
if key_file:
    with open(key_file, encoding="utf-8") as file:
        keys = {key["kid"]: JWK(kty=key["kty"], k=key["k"]) for key in json.load(file)["keys"]}
# Stands for your database: a unique index on the event id, written in one transaction with your work.
seen = set()
running = True


def stop(_signal, _frame):
    """The batch at hand is finished and committed first."""
    global running
    running = False


def begin(consumer, partitions):
    """A new group begins at the beginning. An offset that left retention is an error, never a jump."""
    for partition in consumer.committed(partitions):
        low, _high = consumer.get_watermark_offsets(partition)
        if partition.offset < 0:
            partition.offset = OFFSET_BEGINNING
        elif partition.offset < low:
            raise LookupError(f"{topic}/{partition.partition}: offsets {partition.offset} to {low} left retention")
        next(p for p in partitions if p.partition == partition.partition).offset = partition.offset
    consumer.assign(partitions)


def handle(message):
    event = json.loads(message.value())
    # Again after a crash, a replay (header replay-id) or a repeat beyond the window: the same id is the same change.
    if event["eventId"] in seen:
        return
    seen.add(event["eventId"])
    position = f"{message.topic()}/{message.partition()}/{message.offset()}"
    ref = event.get("token", {}).get("ref", "-")
    late = "true" if event["late"] else "false"
    print(position, event["eventId"], event["type"], late, ref, credentials_of(event), sep="\t", flush=True)


def credentials_of(event):
    """Never printed: which there are, and a hash of the token."""
    if not keys or "sealed" not in event:
        return "-"
    credentials = open_sealed(event)
    token = credentials.get("accessToken")
    fingerprint = hashlib.sha256(token.encode()).hexdigest()[:16] if token else "-"
    return " ".join([*sorted(credentials), fingerprint])


def open_sealed(event):
    jwe = JWE(algs=["dir", "A256GCM"])
    jwe.deserialize(event["sealed"])
    header = jwe.jose_header
    # The header is authenticated, so this event's sealed part is only what says so itself.
    context = ["credentials", event["provider"], event["account"], event["eventId"]]
    if header.get("ctx") != context:
        raise ValueError(f"The sealed part belongs to another event, not to {context}")
    if header["kid"] not in keys:
        raise LookupError(f"No key {header['kid']}: ask for the new key file")
    jwe.decrypt(keys[header["kid"]])
    return json.loads(jwe.payload)


if "GROUP_ID" not in os.environ:
    sys.exit("Set GROUP_ID to a name of your own, such as my-team.my-service")
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
consumer = Consumer({
    "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "127.0.0.1:9092"),
    "group.id": os.environ["GROUP_ID"],
    "isolation.level": "read_committed",
    # By default it commits by the clock.
    "enable.auto.commit": False,
    # By default it goes to the end when its offset has left retention.
    "auto.offset.reset": "error",
})
consumer.subscribe([topic], on_assign=begin)
try:
    while running:
        messages = consumer.consume(num_messages=500, timeout=0.5)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
            handle(message)
        if messages:
            consumer.commit(asynchronous=False)
except (KafkaException, LookupError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
finally:
    consumer.close()
