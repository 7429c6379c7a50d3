# SPDX-License-Identifier: GPL-2.0-or-later
"""Talks to a shell on a pseudo terminal as a person would: size and change of it, Ctrl-C, Ctrl-Z,
jobs, end of input, exit status. Usage: talk.py COMMAND..."""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"  # no escape sequences
    os.execvp(sys.argv[1], sys.argv[1:])
heard = ""


def resize(rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def hear(pattern, seconds=10):
    """Reads until the pattern was heard; what came up to it is used up."""
    global heard
    end = time.monotonic() + seconds
    while not (found := re.search(pattern, heard)):
        if time.monotonic() > end or not select.select([fd], [], [], end - time.monotonic())[0]:
            sys.exit(f"did not hear {pattern!r} but {heard!r}")
        heard += os.read(fd, 65536).decode(errors="replace")
    heard = heard[found.end():]


def ask(text, answer):
    os.write(fd, text.encode())
    hear(answer)


def prompt():
    hear(r"[#$] $")


resize(43, 131)
prompt()
ask("stty size; tty\r", r"\n43 131\r\n/dev/(pts/\d+|console)\r\n")
prompt()
resize(20, 77)
time.sleep(0.2)
ask("stty size\r", r"\n20 77\r\n")
prompt()
# What is heard below was printed, not echoed: the arithmetic is done by the shell.
ask("echo begun-$((1+1)); sleep 100\r", "begun-2")
time.sleep(0.2)
ask("\x03", r"\^C")
prompt()
ask("echo status-$?\r", "status-130")
prompt()
ask("echo begun-$((2+2)); sleep 200\r", "begun-4")
time.sleep(0.2)
ask("\x1a", "Stopped")
prompt()
ask("bg; kill %1; wait; echo jobs-$((3+3))\r", "jobs-6")
prompt()
ask("echo begun-$((4+4)); cat\r", "begun-8")
time.sleep(0.2)
ask("line-a\r", r"line-a\r\nline-a\r\n")
os.write(fd, b"\x04")
prompt()
os.write(fd, b"exit 7\r")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status != 7:
    sys.exit(f"exit status {status}, not 7")
