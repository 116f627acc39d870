package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.SqeLayout;
import java.lang.foreign.MemorySegment;

/** One admin command, as its fields. Not on any hot path. */
final class AdminCommand {
  final String name;
  final int opcode;
  private int namespaceId;
  private long prp1;
  private long prp2;
  private final int[] words = new int[6];

  AdminCommand(String name, int opcode) {
    this.name = name;
    this.opcode = opcode;
  }

  AdminCommand namespace(int id) {
    namespaceId = id;
    return this;
  }

  int namespaceId() {
    return namespaceId;
  }

  AdminCommand data(long first, long second) {
    prp1 = first;
    prp2 = second;
    return this;
  }

  /** Set command dword {@code index}, 10 to 15. */
  AdminCommand word(int index, int value) {
    words[index - 10] = value;
    return this;
  }

  void write(MemorySegment entries, long base, int commandId) {
    SqeLayout.OPCODE.set(entries, base, opcode);
    SqeLayout.FLAGS.set(entries, base, 0);
    SqeLayout.COMMAND_ID.set(entries, base, commandId);
    SqeLayout.NSID.set(entries, base, namespaceId);
    SqeLayout.CDW2.set(entries, base, 0);
    SqeLayout.CDW3.set(entries, base, 0);
    SqeLayout.MPTR.set(entries, base, 0);
    SqeLayout.PRP1.set(entries, base, prp1);
    SqeLayout.PRP2.set(entries, base, prp2);
    SqeLayout.CDW10.set(entries, base, words[0]);
    SqeLayout.CDW11.set(entries, base, words[1]);
    SqeLayout.CDW12.set(entries, base, words[2]);
    SqeLayout.CDW13.set(entries, base, words[3]);
    SqeLayout.CDW14.set(entries, base, words[4]);
    SqeLayout.CDW15.set(entries, base, words[5]);
  }
}
