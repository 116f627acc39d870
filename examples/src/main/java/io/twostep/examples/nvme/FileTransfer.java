package io.twostep.examples.nvme;

import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.device.nvme.NvmeQueue;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.Timers;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Moves a file to a namespace and back with a fixed set of buffers, however long the file is.
 *
 * <p>One thread submits to all queues in turn and polls them; requests complete in any order and are consumed in theirs.
 */
final class FileTransfer implements AutoCloseable {
  private final NvmeNamespace namespace;
  private final NvmeController controller;
  private final Timers timers;
  private final long ioSize;
  private final long fileSize;
  private final ProgressListener listener;
  private final Deque<IoSlot> free = new ArrayDeque<>();
  private final Deque<IoSlot> underWay = new ArrayDeque<>();
  private final List<IoSlot> slots = new ArrayList<>();
  private final List<NvmeQueue> queues;
  private int turn;
  private long ios;

  FileTransfer(
      NvmeController controller, Machine machine, NvmeWorkload work, long fileSize, ProgressListener listener) {
    this.controller = controller;
    this.timers = machine.timers();
    this.queues = controller.queues();
    this.namespace = controller.namespaces().getFirst();
    this.ioSize = work.ioSize();
    this.fileSize = fileSize;
    this.listener = listener;
    long most = Math.max(1, (fileSize + ioSize - 1) / ioSize);
    int count = (int) Math.min(most, (long) work.queueDepth() * queues.size());
    for (int i = 0; i < count; i++) {
      slots.add(new IoSlot(machine.memory(), controller.mapper().limits().granule(), Math.min(ioSize, Math.max(1, blocks(fileSize)) * NvmeWorkload.BLOCK), i));
    }
    free.addAll(slots);
  }

  /** Return how many requests were made. */
  long ios() {
    return ios;
  }

  /** Store the file; the rest of its last block is zero. */
  void store(FileChannel file) throws IOException {
    for (long offset = 0; offset < fileSize; offset += ioSize) {
      IoSlot slot = nextFree(null);
      slot.bytes = Math.min(ioSize, fileSize - offset);
      long whole = blocks(slot.bytes) * NvmeWorkload.BLOCK;
      fill(slot, file, offset, whole);
      slot.bio.write(namespace, offset / NvmeWorkload.BLOCK, blocks(slot.bytes), slot.describe(whole));
      submit(slot);
      listener.progress("storing", offset + slot.bytes, fileSize);
    }
    drain(null);
    if (fileSize != 0) {
      namespace.flush();
    }
  }

  /** Read everything back and digest it. */
  void load(MessageDigest digest) {
    for (long offset = 0; offset < fileSize; offset += ioSize) {
      IoSlot slot = nextFree(digest);
      read(slot, offset);
      listener.progress("reading back", offset + slot.bytes, fileSize);
    }
    drain(digest);
  }

  /** Read {@code count} requests from the file's beginning over and over, and look at nothing. */
  void reread(long count) {
    long offset = 0;
    for (long i = 0; i < count; i++) {
      read(nextFree(null), offset);
      offset = offset + ioSize < fileSize ? offset + ioSize : 0;
    }
    drain(null);
  }

  private void read(IoSlot slot, long offset) {
    slot.bytes = Math.min(ioSize, fileSize - offset);
    long whole = blocks(slot.bytes) * NvmeWorkload.BLOCK;
    slot.bio.read(namespace, offset / NvmeWorkload.BLOCK, blocks(slot.bytes), slot.describe(whole));
    submit(slot);
  }

  private IoSlot nextFree(@Nullable MessageDigest digest) {
    IoSlot slot = free.poll();
    return slot == null ? finishOldest(digest) : slot;
  }

  private void submit(IoSlot slot) {
    NvmeQueue queue = queues.get(turn++ % queues.size());
    int fruitless = 0;
    while (!queue.trySubmit(slot.bio)) {
      if (controller.poll() == 0) {
        timers.pause(++fruitless);
      }
    }
    slot.queue = queue;
    underWay.add(slot);
    ios++;
  }

  private void drain(@Nullable MessageDigest digest) {
    while (!underWay.isEmpty()) {
      free.add(finishOldest(digest));
    }
  }

  private IoSlot finishOldest(@Nullable MessageDigest digest) {
    IoSlot slot = underWay.removeFirst();
    if (slot.queue != null) {
      slot.queue.await(slot.bio);
    }
    slot.bio.check();
    if (digest != null) {
      for (long at = 0; at < slot.bytes; at += slot.run(at, slot.bytes - at)) {
        digest.update(slot.data(at, slot.run(at, slot.bytes - at)).asByteBuffer());
      }
    }
    return slot;
  }

  /** Read a piece of the file into a buffer, and zero the rest of its last block. */
  private static void fill(IoSlot slot, FileChannel file, long offset, long whole) throws IOException {
    for (long at = 0; at < slot.bytes; at += slot.run(at, slot.bytes - at)) {
      FileReads.readFully(file, slot.data(at, slot.run(at, slot.bytes - at)).asByteBuffer(), offset + at);
    }
    for (long at = slot.bytes; at < whole; at += slot.run(at, whole - at)) {
      slot.data(at, slot.run(at, whole - at)).fill((byte) 0);
    }
  }

  private static long blocks(long bytes) {
    return (bytes + NvmeWorkload.BLOCK - 1) / NvmeWorkload.BLOCK;
  }

  @Override
  public void close() {
    slots.forEach(IoSlot::close);
  }
}
