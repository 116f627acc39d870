package io.twostep.examples.nvme;

import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What is on the first namespace of a controller that is not modelled, before anything is written to it.
 *
 * @param controller the controller's model and serial number
 * @param size bytes of the namespace
 * @param blockSize bytes of a block
 * @param content what its first bytes look like
 */
public record RealNamespace(String controller, long size, int blockSize, String content) {
  private static final int LOOKED_AT = 64 << 10;
  private static final int EXT_MAGIC_AT = 1080;

  /** Look, and write nothing; the controller is given back. */
  public static RealNamespace look(NvmeWorkload work, StackChoice stack) {
    try (Assembled on = new Assembled(work, stack, Strategy.TWO_STEP, work.file(), NvmeWorkload.BLOCK, null)) {
      NvmeController controller = on.controller;
      NvmeNamespace namespace = controller.namespaces().getFirst();
      int length = (int) Math.min(LOOKED_AT, namespace.size());
      try (MemoryBlock block = on.platform.machine().memory().allocate(length, MemoryPlacement.SCATTERED)) {
        namespace.read(0, block);
        return new RealNamespace(
            controller.model() + ", serial " + controller.serial(), namespace.size(), namespace.blockSize(), describe(block.segment(), namespace.blockSize()));
      }
    }
  }

  private static String describe(MemorySegment bytes, int blockSize) {
    if (bytes.byteSize() >= blockSize + 8L && text(bytes, blockSize, 8).equals("EFI PART")) {
      return "a GUID partition table";
    }
    if (bytes.byteSize() > EXT_MAGIC_AT + 2L && bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, EXT_MAGIC_AT) == (short) 0xef53) {
      return "an ext file system";
    }
    if (text(bytes, 0, 4).equals("XFSB")) {
      return "an XFS file system";
    }
    if (bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED, 510) == (short) 0xaa55) {
      return "a boot sector or partition table";
    }
    MemorySegment zeros = MemorySegment.ofArray(new byte[(int) bytes.byteSize()]);
    return bytes.mismatch(zeros) < 0 ? "nothing but zeros in the first " + bytes.byteSize() + " bytes" : "data of an unknown kind";
  }

  private static String text(MemorySegment bytes, long offset, int length) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < length; i++) {
      text.append((char) bytes.get(ValueLayout.JAVA_BYTE, offset + i));
    }
    return text.toString();
  }
}
