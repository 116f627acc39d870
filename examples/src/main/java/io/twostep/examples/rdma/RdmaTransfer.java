package io.twostep.examples.rdma;

import io.twostep.device.rdma.QueuePair;
import io.twostep.device.rdma.model.Wire;
import io.twostep.device.rdma.model.WireFaults;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.examples.nvme.Digests;
import io.twostep.examples.nvme.FileReads;
import io.twostep.examples.nvme.ProgressListener;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Moves a file from the memory of one process to that of another, on another host, and back, chunk by chunk, while a thread changes the pages of both; over and over until there were as many page events as
 * asked for.
 *
 * <p>The near adapter WRITEs each chunk to the far process and READs it back into a third range. What arrived there and what came back are digested each.
 */
public final class RdmaTransfer {
  private static final int SLOTS = 8;
  private static final int PAGE = 4096;
  private static final Map<String, String> MACHINE = Map.of("memory", "1G", "iotlb", "adversarial");

  private final RdmaHost near;
  private final RdmaHost far;
  private final Side out;
  private final Side there;
  private final Side back;
  private final long fileSize;
  private final long events;
  private final Churn churn;
  private final ProgressListener listener;
  private final MemorySegment chunk = MemorySegment.ofArray(new byte[Slots.BYTES]);
  private final int[] lengths = new int[SLOTS];
  private MessageDigest arrived = Digests.sha256();
  private MessageDigest returned = Digests.sha256();
  private long finished;
  private long finishedBytes;

  private RdmaTransfer(RdmaHost near, RdmaHost far, Side out, Side there, Side back, long fileSize, long events, Churn churn, ProgressListener listener) {
    this.near = near;
    this.far = far;
    this.out = out;
    this.there = there;
    this.back = back;
    this.fileSize = fileSize;
    this.events = events;
    this.churn = churn;
    this.listener = listener;
  }

  /**
   * Move a file.
   *
   * @param events page events to go through at the least; 0 for a transfer that nobody disturbs
   * @param listener hears how far the work has come
   * @throws IOException if the file cannot be read
   */
  public static RdmaResult run(Path file, RdmaMode mode, long events, long seed, ProgressListener listener) throws IOException {
    long size = Files.size(file);
    byte[] digest = Digests.of(file, size);
    Wire wire = new Wire(WireFaults.NONE, seed);
    ModelMachine nearMachine = ModelMachine.create(ModelMachineConfig.of(MACHINE));
    ModelMachine farMachine = ModelMachine.create(ModelMachineConfig.of(MACHINE));
    try (RdmaHost far = new RdmaHost("far", farMachine, nearMachine, wire, 1);
        RdmaHost near = new RdmaHost("near", nearMachine, farMachine, wire, 0)) {
      RdmaHost.connect(near, far);
      try (Registrations made = new Registrations(mode)) {
        Side out = made.side(near, SLOTS);
        Side back = made.side(near, SLOTS);
        Side there = made.side(far, SLOTS);
        try (Churn churn = new Churn(List.of(out, there, back), events, seed)) {
          RdmaTransfer transfer = new RdmaTransfer(near, far, out, there, back, size, events, churn, listener);
          return transfer.run(file, mode, made, digest);
        }
      }
    }
  }

  private RdmaResult run(Path path, RdmaMode mode, Registrations made, byte[] digest) throws IOException {
    if (events > 0) {
      churn.start();
    }
    boolean verified = true;
    long passes = 0;
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
      do {
        pass(file);
        passes++;
        verified &= Arrays.equals(digest, arrived.digest()) && Arrays.equals(digest, returned.digest());
      } while (events > pageEvents());
    }
    churn.close();
    churn.check();
    return result(mode, made, verified && near.isClean() && far.isClean(), passes);
  }

  private long pageEvents() {
    return near.pageEvents() + far.pageEvents() + churn.unmapped();
  }

  /** Move the file once; with nothing in it, let those who change pages go on for a moment. */
  private void pass(FileChannel file) throws IOException {
    long chunks = (fileSize + Slots.BYTES - 1) / Slots.BYTES;
    finished = 0;
    finishedBytes = 0;
    if (chunks == 0) {
      work();
      churn.advance();
      report();
    }
    for (long begun = 0; finished < chunks; ) {
      if (begun < chunks && begun < finished + SLOTS && tryBegin(file, begun)) {
        begun++;
      } else {
        work();
      }
    }
  }

  /** Begin to move a chunk; false while a slot of it is being remapped. */
  private boolean tryBegin(FileChannel file, long number) throws IOException {
    int slot = (int) (number % SLOTS);
    if (!tryTake(slot)) {
      return false;
    }
    long at = number * Slots.BYTES;
    int length = (int) Math.min(Slots.BYTES, fileSize - at);
    lengths[slot] = length;
    ByteBuffer bytes = chunk.asSlice(0, length).asByteBuffer();
    FileReads.readFully(file, bytes, at);
    near.process.write(out.address(slot), chunk, 0, length);
    int remoteKey = there.registration.key(slot).key();
    QueuePair pair = near.pair();
    boolean posted =
        pair.postWrite(2 * number, out.registration.key(slot), out.address(slot), length, remoteKey, there.address(slot))
            && pair.postRead(2 * number + 1, back.registration.key(slot), back.address(slot), length, remoteKey, there.address(slot));
    if (!posted) {
      throw new IllegalStateException("a queue of " + RdmaHost.QUEUE_DEPTH + " requests does not take " + 2 * SLOTS);
    }
    return true;
  }

  private boolean tryTake(int slot) {
    if (!out.slots.tryMove(slot)) {
      return false;
    }
    if (!there.slots.tryMove(slot)) {
      out.slots.free(slot);
      return false;
    }
    if (!back.slots.tryMove(slot)) {
      there.slots.free(slot);
      out.slots.free(slot);
      return false;
    }
    return true;
  }

  private void work() {
    churn.check();
    near.timers().pause();
    near.work(this::ended);
    far.work(this::ended);
  }

  private void ended(QueuePair pair, long id, boolean receive, CompletionStatus status, int extra, long length) {
    if (status != CompletionStatus.SUCCESS) {
      throw new IllegalStateException((id % 2 == 0 ? "WRITE" : "READ") + " of chunk " + id / 2 + " ended with " + status);
    }
    if (id % 2 == 1) {
      take((int) (id / 2 % SLOTS));
    }
  }

  /** Take what arrived and what came back, and let go of the slot. */
  private void take(int slot) {
    digest(far, there, slot, arrived);
    digest(near, back, slot, returned);
    finished++;
    churn.advance();
    finishedBytes += lengths[slot];
    out.free(slot);
    there.free(slot);
    back.free(slot);
    report();
  }

  private void report() {
    if (countsEvents(fileSize, events)) {
      listener.progress("going through", Math.min(events, pageEvents()), events);
    } else {
      listener.progress("moving", finishedBytes, fileSize);
    }
  }

  /** Tell whether page events are what takes long, and what a listener hears of, rather than the file. */
  public static boolean countsEvents(long fileSize, long events) {
    return events > fileSize / PAGE;
  }

  private void digest(RdmaHost host, Side side, int slot, MessageDigest digest) {
    int length = lengths[slot];
    chunk.fill((byte) 0);
    host.process.read(side.address(slot), chunk, 0, length);
    digest.update(chunk.asSlice(0, length).asByteBuffer());
  }

  private RdmaResult result(RdmaMode mode, Registrations made, boolean verified, long passes) {
    long nanos = near.faultNanos() + far.faultNanos() + made.sum(Registration::nanos);
    long pages = (fileSize + near.process.pageSize() - 1) / near.process.pageSize();
    return new RdmaResult(
        mode,
        "iommu",
        verified,
        passes,
        2 * pages * passes,
        pageEvents(),
        near.faults() + far.faults(),
        near.process.statistics().invalidations() + far.process.statistics().invalidations(),
        made.sum(Registration::retries),
        near.iovaAllocations() + far.iovaAllocations(),
        near.machine.stats().invalidations() + far.machine.stats().invalidations(),
        made.sum(Registration::metadataLength) / (double) Math.max(1, made.sum(Registration::registeredPages)),
        nanos / (double) Math.max(1, made.sum(Registration::reachablePages)));
  }
}
