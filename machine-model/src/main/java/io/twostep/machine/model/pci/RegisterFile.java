package io.twostep.machine.model.pci;

/** What answers register accesses of a BAR; called under the machine's lock, in the width given. */
interface RegisterFile {
  long read(int bar, long offset, int width);

  void write(int bar, long offset, int width, long value);
}
