package io.twostep.device.nvme;

import io.twostep.device.nvme.host.CompletionQueue;
import io.twostep.device.nvme.host.Doorbell;
import io.twostep.device.nvme.host.SubmissionQueue;
import io.twostep.device.nvme.wire.CqeLayout;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.ShadowDoorbellLayout;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.spi.Closing;
import java.lang.foreign.MemorySegment;

/** The two rings of one queue pair, the memory they lie in and their doorbells. */
final class RingMemory implements AutoCloseable {
  private final int id;
  private final int stride;
  private final SubmissionMemory submissionMemory;
  private final DmaBuffer completionMemory;
  private final SubmissionQueue submissions;
  private final CompletionQueue completions;

  /** Make the rings; {@code memory} is owned, also if this throws. */
  RingMemory(ControllerCore core, int id, int depth, SubmissionMemory memory) {
    this.id = id;
    stride = core.doorbellStride();
    submissionMemory = memory;
    // A queue begins on a page of the controller: coherent memory is aligned to its own size.
    try {
      completionMemory = core.mapper().allocateCoherent(Math.max(core.pageSize(), depth * CqeLayout.SIZE));
    } catch (RuntimeException e) {
      throw Closing.after(e, memory::close);
    }
    Doorbell tail = new Doorbell(core.registers().mmio(), DoorbellLayout.submissionTail(id, stride));
    Doorbell head = new Doorbell(core.registers().mmio(), DoorbellLayout.completionHead(id, stride));
    submissions = submissionMemory.queue(depth, tail);
    completions = new CompletionQueue(completionMemory.segment(), depth, head);
  }

  SubmissionQueue submissions() {
    return submissions;
  }

  CompletionQueue completions() {
    return completions;
  }

  /** Start empty, with doorbells that are registers. */
  void reset() {
    submissions.reset();
    completions.reset();
    submissions.doorbell().useRegister();
    completions.doorbell().useRegister();
  }

  void useShadow(MemorySegment shadow, MemorySegment events) {
    submissions.doorbell().useShadow(shadow, events, ShadowDoorbellLayout.submissionTail(id, stride));
    completions.doorbell().useShadow(shadow, events, ShadowDoorbellLayout.completionHead(id, stride));
  }

  /** Return where the controller finds the submission queue. */
  long submissionAddress() {
    return submissionMemory.controllerAddress();
  }

  /** Return where the controller puts completions. */
  long completionAddress() {
    return completionMemory.dmaAddress();
  }

  /** Return how often a doorbell register was written. */
  long doorbellWrites() {
    return submissions.doorbell().writes() + completions.doorbell().writes();
  }

  @Override
  public void close() {
    new Closing().then(submissionMemory::close).then(completionMemory::close).end();
  }
}
