"""Ears and voice of a conversation, in Python's standard library alone: type a line, see it spoken word by word.
A line that comes while the assistant speaks interrupts it. Run `colloquy start`, then `python3 voice_client.py [PORT]`."""
import base64, json, os, socket, struct, sys, threading, time

if not (port := (sys.argv[1:] or ["4747"])[0]).isdecimal(): sys.exit("usage: python3 voice_client.py [PORT]")
wire = socket.create_connection(("127.0.0.1", port))
key = base64.b64encode(os.urandom(16)).decode()
wire.sendall(f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
stream, sending, silenced = wire.makefile("rb"), threading.Lock(), threading.Event()
assert b" 101 " in stream.readline(), "no WebSocket there"
while stream.readline() != b"\r\n": pass

def frame(opcode, payload):  # a client masks what it sends (RFC 6455)
    mask, size = os.urandom(4), len(payload)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0xFE]) + struct.pack(">H", size)
    with sending: wire.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)))

def say(**message): frame(1, json.dumps(message).encode())

def play(segment):  # here would be a loudspeaker; what is acknowledged is what was heard
    about = {"replyId": segment["replyId"], "index": segment["index"]}
    say(type="started", **about)
    words, at = segment["text"].split(" "), 0
    for word in words:
        print(word, end=" ", flush=True)
        if silenced.wait(0.066 * (len(word) + 1)): return print("—")
        at += len(word) + 1
        say(type="progressed", chars=min(at, len(segment["text"])), **about)
    say(type="finished", **about)

def listen():
    while head := stream.read(2):
        size = head[1] if head[1] < 126 else struct.unpack(*((">H", stream.read(2)) if head[1] == 126 else (">Q", stream.read(8))))[0]
        payload = stream.read(size)
        if head[0] & 15 == 9: frame(10, payload)  # a ping wants its pong
        if head[0] & 15 != 1: continue
        message = json.loads(payload)
        if message["type"] == "play": silenced.clear(); threading.Thread(target=play, args=[message["segment"]], daemon=True).start()
        elif message["type"] == "silence": silenced.set()
        elif message["type"] == "RESPONSE_FINISHED": print()
        elif message["type"] == "ERROR_OCCURRED": print(message["message"], file=sys.stderr)

threading.Thread(target=listen, daemon=True).start()
say(type="hello", v=1)
say(type="take-voice")
for line in sys.stdin:
    if line.strip(): say(type="SPEECH_DETECTED", text=line.strip())
time.sleep(float(os.environ.get("LINGER", "0")))  # so that piped lines hear their answer
