package io.twostep.examples.rpc;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.MemoryKey;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.examples.fabric.RdmaHost;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The client's end: offers its memory in chunks and reads the answer. The server works in between, on the same thread. */
final class RpcClient implements AutoCloseable {
  private static final long PAGES = 0x7_0000_0000L;

  /** The most bytes of a segment, so that a long call has several. */
  private static final int SEGMENT = 256 << 10;

  private final RdmaHost host;
  private int xid;
  private final List<MemoryKey> keys = new ArrayList<>();

  RpcClient(RdmaHost host) {
    this.host = host;
  }

  /** Where the result is to come. */
  enum Reply {
    /** Pages in a write chunk, the rest with the answer. */
    WRITE_CHUNK,
    /** All of it in a reply chunk. */
    REPLY_CHUNK
  }

  /**
   * Call the server with a name and pages, and return its answer.
   *
   * @param server answers one call
   */
  Capitals.Text call(String name, byte[] pages, Reply where, Runnable server) {
    try (MemoryBlock data = host.machine().memory().allocate(pages.length, MemoryPlacement.SCATTERED);
        MemoryBlock room = host.machine().memory().allocate(pages.length + (where == Reply.REPLY_CHUNK ? 2L * XdrBuffer.SMALL : 0), MemoryPlacement.SCATTERED)) {
      XdrBuffer.put(pages, data.segment());
      try {
        send(Capitals.head(name), Capitals.tail(data.segment()), data, room, where);
        server.run();
        return Capitals.parse(take(room, where));
      } finally {
        keys.forEach(MemoryKey::close);
        keys.clear();
      }
    }
  }

  private void send(byte[] head, byte[] tail, MemoryBlock data, MemoryBlock room, Reply where) {
    List<Chunk> reads = offer(data, PAGES, AccessFlags.REMOTE_READ);
    List<Chunk> writes = offer(room, PAGES << 1, AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_WRITE);
    boolean chunk = where == Reply.WRITE_CHUNK;
    ByteBuffer out = host.outgoing();
    new TransportHeader(++xid, true, head.length, reads, chunk ? writes : List.of(), chunk ? null : whole(writes)).write(out);
    out.put(head).put(tail);
    CompletionStatus sent = host.send(xid, out.position());
    if (sent != CompletionStatus.SUCCESS) {
      throw new IllegalStateException("the call was not delivered: " + sent);
    }
  }

  /** Return the one segment of a reply chunk. */
  private static Chunk whole(List<Chunk> segments) {
    if (segments.size() != 1) {
      throw new IllegalArgumentException("a result in a reply chunk has up to " + SEGMENT + " bytes");
    }
    return segments.getFirst();
  }

  /** Register memory, and return it as the segments of a chunk. */
  private List<Chunk> offer(MemoryBlock block, long start, int access) {
    MemoryKey key = host.offer(block, start, access);
    keys.add(key);
    List<Chunk> chunks = new ArrayList<>();
    for (long at = 0; at < block.length(); at += SEGMENT) {
      chunks.add(new Chunk(key.key(), (int) Math.min(SEGMENT, block.length() - at), start + at));
    }
    return chunks;
  }

  /** Put the answer's stream together from the message and the chunk. */
  private byte[] take(MemoryBlock room, Reply where) {
    RdmaHost.Received message = host.receive();
    ByteBuffer in = host.message(message);
    TransportHeader header = TransportHeader.read(in);
    if (header.xid() != xid) {
      throw new IllegalStateException("an answer to call %d while %d waits".formatted(header.xid(), xid));
    }
    Chunk reply = header.reply();
    byte[] stream;
    if (where == Reply.REPLY_CHUNK && reply != null) {
      stream = room.segment().asSlice(0, reply.length()).toArray(ValueLayout.JAVA_BYTE);
    } else {
      long stored = header.writes().stream().mapToLong(Chunk::length).sum();
      if (stored > room.length()) {
        throw new IllegalStateException("the answer to call %d says that %,d bytes were stored, and %,d were offered".formatted(xid, stored, room.length()));
      }
      ByteBuffer together = ByteBuffer.allocate(in.remaining() + (int) stored);
      together.put(in.slice(in.position(), in.remaining() - Integer.BYTES)).put(room.segment().asSlice(0, stored).asByteBuffer()).putInt(in.getInt(in.limit() - Integer.BYTES));
      stream = together.array();
    }
    host.postReceive(message.buffer());
    return stream;
  }

  @Override
  public void close() {
    keys.forEach(MemoryKey::close);
  }
}
