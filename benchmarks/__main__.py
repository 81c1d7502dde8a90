"""`python -m benchmarks [section …]`: measure, print and save; all sections if no names are given."""

from mast.runtime import set_up_process

if __name__ == "__main__":  # and not where a new process of a measurement reads this file
    set_up_process(1)

import argparse
import time

import torch

from benchmarks import augmentation, decode, monitor, objective, report, scaling, step, workflow

SECTIONS = {
    "augmentation": augmentation.measure,
    "decode": decode.measure,
    "step": step.measure,
    "monitor": monitor.measure,
    "workflow": workflow.measure,
    "scaling": scaling.measure,
    "objective": objective.measure,  # last: it leaves this process with gigabytes that are free but not returned
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"{', '.join(SECTIONS)} (default: all, saved)")
    chosen = parser.parse_args().sections
    torch.set_num_threads(1)
    sections = []
    for name in chosen or SECTIONS:
        started = time.monotonic()
        sections.append(SECTIONS[name](quick=False))
        print(f"{name}: measured in {time.monotonic() - started:.0f} s", flush=True)
    print(report.markdown(sections, [target for section in sections for target in section.targets]))
    if not chosen:
        report.save(sections)


if __name__ == "__main__":
    main()
