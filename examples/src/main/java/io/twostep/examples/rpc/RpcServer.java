package io.twostep.examples.rpc;

import io.twostep.device.rdma.rw.RangeSlice;
import io.twostep.device.rdma.rw.RwContext;
import io.twostep.device.rdma.rw.RwLimits;
import io.twostep.device.rdma.rw.RwOperation;
import io.twostep.device.rdma.rw.RwQueue;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.PhysRanges;
import io.twostep.examples.fabric.RdmaHost;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The server's end: fetches what a call offers in read chunks, has it served, stores the result in write or reply chunks, and answers. One thread, that of the host. */
final class RpcServer implements AutoCloseable {
  private static final long SILENT = 0;

  private final RdmaHost host;
  private final Program program;
  private final RwQueue transfers;
  private final XdrBuffer call;
  private final XdrBuffer result;
  private final List<RwContext> underway = new ArrayList<>();
  private final List<String> log = new ArrayList<>();
  private long lastId;

  /** What is served. */
  @FunctionalInterface
  interface Program {
    /** Make a result of a call; both in the server's memory. */
    void serve(XdrBuffer call, XdrBuffer result);
  }

  RpcServer(RdmaHost host, Program program) {
    this.host = host;
    this.program = program;
    transfers = new RwQueue(host.pair(), RwLimits.ofRanges(host.pair().maxSegments()), 0);
    call = new XdrBuffer(host.machine().memory());
    result = new XdrBuffer(host.machine().memory());
  }

  /** Return what was transferred so far, a line for each transfer. */
  List<String> log() {
    return List.copyOf(log);
  }

  /** Await a call and answer it; one that is refused has its receive posted again too, so that the next call finds one. */
  void serve() {
    RdmaHost.Received message = host.receive();
    TransportHeader header;
    try {
      ByteBuffer in = host.message(message);
      header = TransportHeader.read(in);
      fetch(header, in);
    } finally {
      host.postReceive(message.buffer());
    }
    program.serve(call, result);
    reply(header);
  }

  /** Put the call together: what came with the message, and between its parts what the read chunk has. */
  private void fetch(TransportHeader header, ByteBuffer in) {
    byte[] head = new byte[header.reads().isEmpty() ? in.remaining() : Math.min(header.position(), in.remaining())];
    in.get(head);
    byte[] tail = new byte[in.remaining()];
    in.get(tail);
    int bytes = header.reads().stream().mapToInt(Chunk::length).reduce(0, Math::addExact);
    call.reset(head.length, 0, bytes, tail.length);
    XdrBuffer.put(head, call.head());
    XdrBuffer.put(tail, call.tail());
    int at = 0;
    for (Chunk read : header.reads()) {
      RwContext transfer = prepare(RwOperation.READ, "call's pages", new RangeSlice(call.pageRanges()).of(at, read.length()), read);
      long id = ++lastId;
      if (!transfer.post(id, SILENT)) {
        throw new IllegalStateException("a READ of " + transfer.workRequests() + " work requests finds no room in an idle queue");
      }
      end(host.await(id));
      at += read.length();
    }
  }

  private RwContext prepare(RwOperation operation, String what, PhysRanges ranges, Chunk chunk) {
    RwContext transfer = transfers.newContext();
    try {
      int requests = transfer.prepareVector(operation, ranges, chunk.handle(), chunk.offset());
      log.add("%-5s %-14s %,9d bytes  %-9s work requests: %d  %s".formatted(operation, what, transfer.bytes(), transfer.type(), requests, transfer.reason().text()));
    } catch (RuntimeException e) {
      transfer.close();
      throw e;
    }
    underway.add(transfer);
    return transfer;
  }

  /** Take note that everything posted has ended, and give its memory back. */
  private void end(CompletionStatus status) {
    for (RwContext transfer : underway) {
      transfer.ended(status);
      transfer.close();
    }
    underway.clear();
    if (status != CompletionStatus.SUCCESS) {
      throw new IllegalStateException("the client's chunks could not be used: " + status);
    }
  }

  private void reply(TransportHeader call) {
    Chunk whole = call.reply();
    ByteBuffer out = host.outgoing();
    long room = whole != null ? whole.length() : call.writes().stream().mapToLong(Chunk::length).sum();
    long needed = whole != null ? result.length() : result.pages().byteSize();
    if (needed > room) {
      throw new IllegalStateException("the result of call 0x%x has %,d bytes for chunks of %,d; the client must offer more".formatted(call.xid(), needed, room));
    }
    if (whole != null) {
      long at = store("result's head", result.headRanges(), 0, result.head().byteSize(), List.of(whole), 0);
      at = store("result's pages", result.pageRanges(), result.pageBase(), result.pages().byteSize(), List.of(whole), at);
      store("result's tail", result.tailRanges(), 0, result.tail().byteSize(), List.of(whole), at);
      new TransportHeader(call.xid(), false, 0, List.of(), List.of(), new Chunk(whole.handle(), result.length(), whole.offset())).write(out);
    } else {
      store("result's pages", result.pageRanges(), result.pageBase(), result.pages().byteSize(), call.writes(), 0);
      new TransportHeader(call.xid(), true, 0, List.of(), filled(call.writes(), result.pages().byteSize()), null).write(out);
      out.put(result.head().asByteBuffer()).put(result.tail().asByteBuffer());
    }
    end(host.send(++lastId, out.position()));
  }

  /** Return segments with the bytes that each has got, which is all that tells the client how long the result is (RFC 8166, 3.4.6). */
  private static List<Chunk> filled(List<Chunk> offered, long bytes) {
    List<Chunk> filled = new ArrayList<>();
    long left = bytes;
    for (Chunk chunk : offered) {
      int length = (int) Math.min(left, chunk.length());
      filled.add(new Chunk(chunk.handle(), length, chunk.offset()));
      left -= length;
    }
    return filled;
  }

  /** Post the storing of a part of the result into chunks, from some byte of them on, in front of the answer; returns the byte behind it. */
  private long store(String what, PhysRanges ranges, long from, long length, List<Chunk> chunks, long at) {
    long done = 0;
    long chunkStart = 0;
    for (Chunk chunk : chunks) {
      long skip = Math.max(0, at + done - chunkStart);
      long piece = Math.min(length - done, chunk.length() - skip);
      if (piece > 0) {
        Chunk part = new Chunk(chunk.handle(), (int) piece, chunk.offset() + skip);
        RwContext transfer = prepare(RwOperation.WRITE, what, new RangeSlice(ranges).of(from + done, piece), part);
        if (!transfer.postSilently(SILENT)) {
          throw new IllegalStateException("a WRITE of " + transfer.workRequests() + " work requests finds no room");
        }
        done += piece;
      }
      chunkStart += chunk.length();
    }
    return at + length;
  }

  @Override
  public void close() {
    transfers.close();
    call.close();
    result.close();
  }
}
