package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;

/** What the readers of payloads have in common. */
final class Payload {
  private Payload() {}

  static void requireSize(String what, MemorySegment payload, long least) {
    if (payload.byteSize() < least) {
      throw new ProtocolException("%s of %d bytes: it has at least %d".formatted(what, payload.byteSize(), least));
    }
  }

  /** The structure tells its own size, or the room for the reply: either holds the structure. */
  static void requireArgumentSize(String what, MemorySegment payload, long least) {
    requireSize(what, payload, least);
    if (Integer.compareUnsigned(Bytes.u32(payload, 0), (int) least) < 0) {
      throw new ProtocolException(
          "%s with argsz %s: at least %d".formatted(what, Integer.toUnsignedString(Bytes.u32(payload, 0)), least));
    }
  }
}
