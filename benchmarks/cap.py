"""How many CAP messages a core checks: parse, schema and every prose rule; signatures made and judged; peers beside.

    .venv/bin/python benchmarks/cap.py [--seconds 5] [--folder DIR] [--peers /tmp/lead/venvs]

Messages: the XML files of --folder (default ../shared/data/warning/cap-sample where it is there, else messages made here),
each read again and again. Peers are measured each in a venv of its own, `<peers>/xmlschema`, `<peers>/capparselib`,
`<peers>/cap-tools` (`python -m venv DIR && DIR/bin/pip install xmlschema lxml`, and so on), and skipped where it is absent:
xmlschema checks the schema alone, capparselib and cap-tools read without checking the prose.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

SAMPLE = ROOT.parent / "shared" / "data" / "warning" / "cap-sample"
XSD = SAMPLE.parent / "CAP-v1.2.xsd"

# Run by a peer's own Python: argument 1 the peer, 2 the folder, 3 the seconds, 4 the schema.
PEER = """
import glob, json, sys, time
name, folder, seconds, xsd = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
data = [open(p, "rb").read() for p in sorted(glob.glob(folder + "/*.xml"))]
if name == "xmlschema":
    import io, xmlschema
    schema = xmlschema.XMLSchema(xsd)
    one = lambda d: schema.is_valid(io.BytesIO(d))
elif name == "capparselib":
    from capparselib.parsers import CAPParser
    one = lambda d: CAPParser(d.decode("utf-8")).as_dict()
else:
    from cap_tools.models import Alert
    from xsdata.formats.dataclass.parsers import XmlParser
    parser = XmlParser()
    one = lambda d: parser.from_bytes(d, Alert)
good = []
for d in data:
    try:
        one(d); good.append(d)
    except Exception:
        pass
done, start = 0, time.process_time()
while good and time.process_time() - start < seconds:
    for d in good:
        one(d); done += 1
print(json.dumps({"rate": done / (time.process_time() - start), "read": len(good), "of": len(data)}))
"""


def messages(folder: Path) -> list[bytes]:
    """The messages that can be read; made here where the folder is not."""
    from haitang.alerting import cap
    from haitang.alerting.tests.samples import alert, info

    files = sorted(folder.glob("*.xml")) if folder.is_dir() else []
    found = [path.read_bytes() for path in files] or [cap.build(alert(infos=(info(),) * n)) for n in (1, 2, 4)]
    good = []
    for data in found:
        try:
            cap.parse(data)
        except cap.CapUnreadable:
            continue
        good.append(data)
    return good


def rate(work: Callable[[bytes], object], data: list[bytes], seconds: float) -> float:
    """Messages a second of process time, which is what one core does whatever else the machine does."""
    for one in data:
        work(one)
    done, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        for one in data:
            work(one)
        done += len(data)
    return done / (time.process_time() - start)


def peer(name: str, folder: Path, seconds: float, venvs: Path) -> str:
    """One peer's line."""
    python = venvs / name / "bin" / "python"
    if not python.exists():
        return f"{name:<42} not installed in {python.parent.parent}"
    asked = [str(python), "-c", PEER, name, str(folder), str(seconds), str(XSD)]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    if answer.returncode:
        return f"{name:<42} failed: {answer.stderr.strip().splitlines()[-1:]}"
    found = json.loads(answer.stdout)
    return f"{name:<42} {found['rate']:>10,.0f} messages/s   reads {found['read']} of {found['of']}"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=float, default=3.0)
    asked.add_argument("--folder", type=Path, default=SAMPLE)
    asked.add_argument("--peers", type=Path, default=Path("/tmp/lead/venvs"))
    given = asked.parse_args()
    from haitang.alerting import cap, cap_signature
    from haitang.alerting.event_codes import EventCode, EventCodes

    data = messages(given.folder)
    codes = EventCodes([EventCode("11B03", "rainstorm", "暴雨", "rainstorm")])
    size = sorted(len(one) for one in data)
    print(
        f"{len(data)} messages, median {size[len(size) // 2]:,} bytes, largest {size[-1]:,}; load {os.getloadavg()[0]:.1f}"
    )

    def ours(one: bytes, profile: str | None = None) -> None:
        cap.validate(cap.parse(one)[0], profile, codes if profile else None)

    lines = {
        "ours: parse and schema": cap.parse,
        "ours: parse, schema and prose rules": ours,
        "ours: and the Chinese profile": lambda one: ours(one, "cn"),
    }
    from lxml import etree

    print(f"{'lxml: parse alone':<42} {rate(etree.fromstring, data, given.seconds):>10,.0f} messages/s")
    if XSD.is_file():
        official = etree.XMLSchema(file=str(XSD))
        checked = rate(lambda one: official.validate(etree.fromstring(one)), data, given.seconds)
        print(f"{'lxml: parse and official XSD':<42} {checked:>10,.0f} messages/s")
    for name, work in lines.items():
        print(f"{name:<42} {rate(work, data, given.seconds):>10,.0f} messages/s")
    at = datetime.now(UTC)
    for curve, kind in ((False, "RSA-3072"), (True, "P-256")):
        signer = cap_signature.load_signer(*cap_signature.make_pair("bench", at=at, curve=curve))
        plain = [cap.build(cap.parse(one)[0]) for one in data if b"Signature" not in one and not cap.parse(one)[1]][:20]
        signed = [cap_signature.sign(one, signer, at=at) for one in plain]
        made = rate(lambda one, s=signer: cap_signature.sign(one, s, at=at), plain, given.seconds)  # type: ignore[misc]
        judged = rate(lambda one, s=signer: cap_signature.judge(one, [s.certificate], at), signed, given.seconds)  # type: ignore[misc]
        print(f"{f'ours: sign and verify again, {kind}':<42} {made:>10,.0f} messages/s")
        print(f"{f'ours: judge a signature, {kind}':<42} {judged:>10,.0f} messages/s")
    for name in ("xmlschema", "capparselib", "cap-tools"):
        print(peer(name, given.folder, given.seconds, given.peers))


if __name__ == "__main__":
    main()
