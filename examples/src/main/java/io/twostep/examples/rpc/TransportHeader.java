package io.twostep.examples.rpc;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What precedes an RPC message on the wire (RFC 8166, 4.1), in XDR.
 *
 * @param xid which call it is about
 * @param message whether the rest of the message follows; else it is in the reply chunk
 * @param position where in the stream the read chunk's bytes belong
 * @param reads segments of the one read chunk that this server knows; may be empty
 * @param writes segments of the one write chunk; may be empty
 * @param reply the reply chunk, if there is one
 */
record TransportHeader(int xid, boolean message, int position, List<Chunk> reads, List<Chunk> writes, @Nullable Chunk reply) {
  private static final int VERSION = 1;
  private static final int CREDITS = 1;
  private static final int RDMA_MSG = 0;
  private static final int RDMA_NOMSG = 1;

  TransportHeader {
    reads = List.copyOf(reads);
    writes = List.copyOf(writes);
  }

  /** Write it at the buffer's position. */
  void write(ByteBuffer to) {
    to.putInt(xid).putInt(VERSION).putInt(CREDITS).putInt(message ? RDMA_MSG : RDMA_NOMSG);
    for (Chunk read : reads) {
      to.putInt(1).putInt(position);
      write(to, read);
    }
    to.putInt(0);
    if (!writes.isEmpty()) {
      to.putInt(1).putInt(writes.size());
      writes.forEach(each -> write(to, each));
    }
    to.putInt(0);
    Chunk whole = reply;
    if (whole == null) {
      to.putInt(0);
    } else {
      to.putInt(1).putInt(1);
      write(to, whole);
    }
  }

  private static void write(ByteBuffer to, Chunk chunk) {
    to.putInt(chunk.handle()).putInt(chunk.length()).putLong(chunk.offset());
  }

  /**
   * Read one from the buffer's position on.
   *
   * @throws IllegalArgumentException if it is none, or has chunks of more kinds than a small server takes
   */
  static TransportHeader read(ByteBuffer from) {
    try {
      int xid = from.getInt();
      int version = from.getInt();
      from.getInt();
      int kind = from.getInt();
      if (version != VERSION || (kind != RDMA_MSG && kind != RDMA_NOMSG)) {
        throw new IllegalArgumentException("RPC over RDMA version %d, message kind %d: neither can be served".formatted(version, kind));
      }
      List<Chunk> reads = new ArrayList<>();
      int position = 0;
      while (from.getInt() != 0) {
        int at = from.getInt();
        if (at < 0) {
          throw new IllegalArgumentException("call 0x%x has a read chunk at position %d".formatted(xid, Integer.toUnsignedLong(at)));
        }
        if (!reads.isEmpty() && at != position) {
          throw new IllegalArgumentException("call 0x%x has several read chunks, at positions %d and %d; one is served".formatted(xid, position, at));
        }
        position = at;
        reads.add(chunk(from));
      }
      boolean hasWrites = from.getInt() != 0;
      List<Chunk> writes = hasWrites ? list(from) : List.of();
      if (hasWrites && from.getInt() != 0) {
        throw new IllegalArgumentException("call 0x%x has several write chunks; one is served".formatted(xid));
      }
      List<Chunk> reply = from.getInt() == 0 ? List.of() : list(from);
      return new TransportHeader(xid, kind == RDMA_MSG, position, reads, writes, reply.isEmpty() ? null : reply.getFirst());
    } catch (BufferUnderflowException e) {
      throw new IllegalArgumentException("a message that ends inside its transport header", e);
    }
  }

  private static List<Chunk> list(ByteBuffer from) {
    int count = from.getInt();
    if (count < 0 || count > from.remaining()) {
      throw new IllegalArgumentException(count + " segments do not fit the message");
    }
    List<Chunk> chunks = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      chunks.add(chunk(from));
    }
    return chunks;
  }

  private static Chunk chunk(ByteBuffer from) {
    int handle = from.getInt();
    int length = from.getInt();
    if (length < 0) {
      throw new IllegalArgumentException("a chunk of %d bytes".formatted(Integer.toUnsignedLong(length)));
    }
    return new Chunk(handle, length, from.getLong());
  }
}
