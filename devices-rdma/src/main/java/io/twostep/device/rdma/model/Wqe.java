package io.twostep.device.rdma.model;

import io.twostep.device.rdma.transport.Verb;
import io.twostep.device.rdma.wire.Bits;
import io.twostep.device.rdma.transport.MemoryResult;
import io.twostep.device.rdma.wire.KeyUpdateLayout;
import io.twostep.device.rdma.wire.WqeLayout;
import java.lang.foreign.MemorySegment;

/** A queue entry as the adapter fetched it: what it wants and where its data lies. */
final class Wqe {
  private static final long WHOLE = 1L << 31;

  final MemorySegment bytes;
  private int firstSegment;
  private int endOfSegments;
  private boolean valid;

  Wqe(int size) {
    bytes = MemorySegment.ofArray(new byte[size]);
  }

  /** Use the entry as a receive: data segments only. */
  void asReceive() {
    firstSegment = 0;
    endOfSegments = (int) bytes.byteSize();
  }

  /** Use the entry as a send; returns false if its length makes no sense for its verb. */
  boolean asSend() {
    Verb verb = verb();
    int headers =
        switch (verb) {
          case LOCAL, SEND, SEND_IMMEDIATE, SEND_INVALIDATE -> 1;
          case WRITE, WRITE_IMMEDIATE, READ -> 2;
          case COMPARE_SWAP, FETCH_ADD -> 3;
        };
    endOfSegments = WqeLayout.UNITS.get(WqeLayout.QUEUE_AND_UNITS.get(bytes, 0)) * WqeLayout.UNIT;
    firstSegment = verb == Verb.LOCAL ? endOfSegments : headers * WqeLayout.UNIT;
    valid = endOfSegments >= firstSegment && endOfSegments <= bytes.byteSize() && isKnown();
    return valid;
  }

  /** Tell whether it was read, and used as a send that makes sense. */
  boolean isValidSend() {
    return valid;
  }

  private int opcode() {
    return WqeLayout.OPCODE.get(WqeLayout.OPERATION.get(bytes, 0));
  }

  boolean wantsCompletion() {
    return WqeLayout.COMPLETION.get(WqeLayout.FLAGS.get(bytes, 0)) == WqeLayout.COMPLETION_ALWAYS;
  }

  boolean isKnown() {
    return opcode() == WqeLayout.OP_NOP || isUpdate() || verb() != Verb.LOCAL;
  }

  /** Tell whether the entry changes a memory key, and is long enough to. */
  boolean isUpdate() {
    return opcode() == WqeLayout.OP_KEY_UPDATE && endOfSegments == KeyUpdateLayout.SIZE;
  }

  Verb verb() {
    return switch (opcode()) {
      case WqeLayout.OP_SEND -> Verb.SEND;
      case WqeLayout.OP_SEND_IMMEDIATE -> Verb.SEND_IMMEDIATE;
      case WqeLayout.OP_SEND_INVALIDATE -> Verb.SEND_INVALIDATE;
      case WqeLayout.OP_WRITE -> Verb.WRITE;
      case WqeLayout.OP_WRITE_IMMEDIATE -> Verb.WRITE_IMMEDIATE;
      case WqeLayout.OP_READ -> Verb.READ;
      case WqeLayout.OP_COMPARE_SWAP -> Verb.COMPARE_SWAP;
      case WqeLayout.OP_FETCH_ADD -> Verb.FETCH_ADD;
      default -> Verb.LOCAL;
    };
  }

  /** Return the bytes of all data segments. */
  long length() {
    long length = 0;
    for (int at = firstSegment; hasSegment(at); at += WqeLayout.UNIT) {
      length += segmentLength(at);
    }
    return length;
  }

  private boolean hasSegment(int at) {
    return at < endOfSegments && WqeLayout.DATA_KEY.get(bytes, at) != WqeLayout.END_OF_LIST;
  }

  private long segmentLength(int at) {
    long length = WqeLayout.DATA_LENGTH.getUnsigned(bytes, at);
    return length == 0 ? WHOLE : length;
  }

  /** Move the entry's data from byte {@code offset} on, all of it or, as far as keys and pages tell before, none. */
  MemoryResult move(Translator memory, int domain, long offset, MemorySegment data, Bits right, boolean writes) {
    long skip = offset;
    long done = 0;
    for (int at = firstSegment; done < data.byteSize() && hasSegment(at); at += WqeLayout.UNIT) {
      long length = segmentLength(at);
      if (skip >= length) {
        skip -= length;
        continue;
      }
      long piece = Math.min(length - skip, data.byteSize() - done);
      long address = WqeLayout.DATA_ADDRESS.get(bytes, at) + skip;
      int key = WqeLayout.DATA_KEY.get(bytes, at);
      MemorySegment part = data.asSlice(done, piece);
      MemoryResult result = writes ? memory.write(domain, key, address, part, length - skip, right) : memory.read(domain, key, address, part, length - skip, right);
      if (result != MemoryResult.DONE) {
        return result;
      }
      done += piece;
      skip = 0;
    }
    return done == data.byteSize() ? MemoryResult.DONE : MemoryResult.DENIED;
  }
}
