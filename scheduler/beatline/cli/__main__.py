"""``python -m beatline.cli`` is ``sched``: how `sched up` starts its processes."""

from beatline.cli.entry import main

if __name__ == "__main__":
    main()
