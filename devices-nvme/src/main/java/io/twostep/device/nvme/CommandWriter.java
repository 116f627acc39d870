package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.ReadWriteCommandLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import java.lang.foreign.MemorySegment;

/** Writes what an I/O command says besides its memory: namespace, blocks, flags, tags. Clears what is not used. */
final class CommandWriter {
  private CommandWriter() {}

  /** Write the command for {@code blocks} blocks of a bio from its {@code firstBlock} on. */
  static void write(MemorySegment sqes, long base, NvmeBio bio, long firstBlock, long blocks) {
    SqeLayout.NSID.set(sqes, base, bio.target().id());
    SqeLayout.CDW2.set(sqes, base, 0);
    SqeLayout.CDW3.set(sqes, base, 0);
    switch (bio.operation()) {
      case FLUSH, TRIM -> clearWords(sqes, base);
      case READ, WRITE, COMPARE, WRITE_ZEROES, VERIFY -> writeBlocks(sqes, base, bio, firstBlock, blocks);
    }
  }

  private static void clearWords(MemorySegment sqes, long base) {
    SqeLayout.CDW10.set(sqes, base, 0);
    SqeLayout.CDW11.set(sqes, base, 0);
    SqeLayout.CDW12.set(sqes, base, 0);
    SqeLayout.CDW13.set(sqes, base, 0);
    SqeLayout.CDW14.set(sqes, base, 0);
    SqeLayout.CDW15.set(sqes, base, 0);
  }

  private static void writeBlocks(MemorySegment sqes, long base, NvmeBio bio, long firstBlock, long blocks) {
    NvmeNamespace namespace = bio.target();
    int control = bio.isForceUnitAccess() ? ReadWriteCommandLayout.FUA.with(0, 1) : 0;
    long reference = 0;
    int applicationTag = 0;
    int applicationMask = 0;
    if (namespace.isProtected()) {
      control |= protection(bio, namespace);
      reference = namespace.referenceTag(bio.initialReferenceTag(), firstBlock);
      applicationTag = bio.applicationTag();
      applicationMask = bio.applicationMask();
    }
    ReadWriteCommandLayout.REFERENCE_TAG_HIGH.set(sqes, base, (int) (reference >>> 32));
    ReadWriteCommandLayout.SLBA.set(sqes, base, bio.lba() + firstBlock);
    ReadWriteCommandLayout.NLB.set(sqes, base, (int) (blocks - 1));
    ReadWriteCommandLayout.CONTROL.set(sqes, base, control);
    ReadWriteCommandLayout.DSM.set(sqes, base, 0);
    ReadWriteCommandLayout.REFERENCE_TAG.set(sqes, base, (int) reference);
    ReadWriteCommandLayout.APPLICATION_TAG.set(sqes, base, applicationTag);
    ReadWriteCommandLayout.APPLICATION_MASK.set(sqes, base, applicationMask);
  }

  private static int protection(NvmeBio bio, NvmeNamespace namespace) {
    // Zeroes come without metadata of the host's, so nobody but the controller can make their tuples.
    boolean inserts = bio.operation() == NvmeOperation.WRITE_ZEROES || namespace.controllerProtects(bio);
    int control = ReadWriteCommandLayout.PRACT.with(0, inserts ? 1 : 0);
    int checks = bio.checks() == NvmeBio.CHECK_DEFAULT ? namespace.defaultChecks() : bio.checks();
    control = ReadWriteCommandLayout.PRCHK_GUARD.with(control, (checks & NvmeBio.CHECK_GUARD) != 0 ? 1 : 0);
    control = ReadWriteCommandLayout.PRCHK_APPLICATION.with(control, (checks & NvmeBio.CHECK_APPLICATION) != 0 ? 1 : 0);
    return ReadWriteCommandLayout.PRCHK_REFERENCE.with(control, (checks & NvmeBio.CHECK_REFERENCE) != 0 ? 1 : 0);
  }
}
