package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/** What the readers of payloads have in common. */
final class Payload {
  private Payload() {}

  static void requireSize(String what, MemorySegment payload, long least) {
    requireSize(what, payload.byteSize(), least);
  }

  static void requireSize(String what, long length, long least) {
    if (length < least) {
      throw new ProtocolException("%s of %d bytes: it has at least %d".formatted(what, length, least));
    }
  }

  /** The structure tells its own size, or the room for the reply: either holds the structure. */
  static void requireArgumentSize(String what, MemorySegment payload, long least) {
    requireArgumentSize(what, payload, payload.byteSize(), least);
  }

  static void requireArgumentSize(String what, MemorySegment payload, long length, long least) {
    requireSize(what, length, least);
    if (Integer.compareUnsigned(Bytes.u32(payload, 0), (int) least) < 0) {
      throw new ProtocolException("%s with argsz %s: at least %d".formatted(what, Integer.toUnsignedString(Bytes.u32(payload, 0)), least));
    }
  }
}
