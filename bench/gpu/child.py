"""Programs that measure.py runs: to their end within a time, or as children that answer one line per request (bench/README.md)."""
import contextlib
import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time

TAIL = 25  # lines kept of what a program said


class Failed(Exception):
    """A program that did not do what it was to do; the text has its last words."""


def tail(text):
    return "\n".join(text.rstrip().splitlines()[-TAIL:])


def kill(process):
    """Ends a program and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)


class Programs:
    """Starts programs of the archive, and writes down everything that they say."""

    def __init__(self, log, environment, folder):
        self.log, self.environment, self.folder = log, environment, folder

    def write(self, text):
        with self.log.open("a", encoding="utf-8") as log:
            log.write(text if text.endswith("\n") else text + "\n")

    def run(self, command, limit, **variables):
        """(exit status, output of both kinds); the status is None if the program was stopped after `limit` seconds."""
        command = [str(word) for word in command]
        self.write(f"\n$ {' '.join(command)}")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", env=self.environment | variables, cwd=self.folder, start_new_session=True)
        pieces = []
        reader = threading.Thread(target=lambda: pieces.extend(process.stdout), daemon=True)
        reader.start()
        try:
            status = process.wait(max(1.0, limit))
        except subprocess.TimeoutExpired:
            status = None
        if status is None:
            kill(process)
        reader.join(5)
        process.stdout.close()
        output = "".join(pieces)
        self.write(output + (f"stopped after {limit:.0f} s" if status is None else f"status {status}"))
        return status, output

    def background(self, command, requests):
        """A child that is given its requests and left alone; what it says is lost."""
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   text=True, env=self.environment, cwd=self.folder, start_new_session=True)
        process.stdin.write(requests)
        process.stdin.close()
        return process

    def succeed(self, command, limit, **variables):
        """The output of a program that must end well."""
        status, output = self.run(command, limit, **variables)
        if status != 0:
            raise Failed(f"{pathlib.Path(str(command[0])).name} {'took longer than %.0f s' % limit if status is None else f'ended with status {status}'}:\n{tail(output)}")
        return output


class Child:
    """A program that writes {"ready": NAME}, then answers each line on standard input by a line of JSON."""

    def __init__(self, programs, name, command, limit, **variables):
        self.name = name
        self._answers, self._words = queue.Queue(), []
        command = [str(word) for word in command]
        programs.write(f"\n$ {' '.join(command)}")
        self._programs = programs
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                         errors="replace", env=programs.environment | variables, cwd=programs.folder, start_new_session=True)
        threading.Thread(target=self._read_answers, daemon=True).start()
        self._listener = threading.Thread(target=lambda: self._words.extend(self._process.stderr), daemon=True)
        self._listener.start()
        self.engine = self._answer("ready", limit)["ready"]

    def _read_answers(self):
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _answer(self, request, limit):
        end = time.monotonic() + limit
        while True:
            try:
                line = self._answers.get(timeout=max(0.1, end - time.monotonic()))
            except queue.Empty:
                raise Failed(f"{self.name}: no answer to '{request}' within {limit:.0f} s\n{self.stop()}") from None
            if line is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)
                raise Failed(f"{self.name} ended with status {self._process.returncode} at '{request}'\n{self.stop()}")
            if line.startswith("{"):  # libraries may have something to say on the same stream
                return json.loads(line)

    @property
    def is_alive(self):
        return self._process.poll() is None

    def ask(self, request, limit):
        """The answer as a dictionary."""
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # the reader finds that the program has ended, and why
        answer = self._answer(request, limit)
        self._programs.write(f"{self.name}: {request} -> {json.dumps(answer)[:300]}")
        if "error" in answer:
            raise Failed(f"{self.name}: {answer['error']}")
        return answer

    def stop(self):
        """Ends the program; returns its last words."""
        kill(self._process)
        self._listener.join(5)
        words = tail("".join(self._words))
        if words:
            self._programs.write(f"{self.name} said:\n{words}")
            self._words.clear()
        return words
