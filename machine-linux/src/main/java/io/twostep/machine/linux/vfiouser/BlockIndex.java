package io.twostep.machine.linux.vfiouser;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Blocks by address; immutable, so that looking up takes no lock and allocates nothing. */
final class BlockIndex {
  static final BlockIndex EMPTY = new BlockIndex(List.of());

  private final FileBlock[] blocks;
  private final long[] firsts;

  private BlockIndex(List<FileBlock> sorted) {
    blocks = sorted.toArray(FileBlock[]::new);
    firsts = sorted.stream().mapToLong(FileBlock::first).toArray();
  }

  /** Return the block with the highest address up to {@code phys}, null if there is none. */
  @Nullable FileBlock at(long phys) {
    int at = Arrays.binarySearch(firsts, phys);
    int floor = at >= 0 ? at : -at - 2;
    return floor < 0 ? null : blocks[floor];
  }

  List<FileBlock> blocks() {
    return List.of(blocks);
  }

  BlockIndex with(FileBlock block) {
    List<FileBlock> more = new ArrayList<>(List.of(blocks));
    int at = Arrays.binarySearch(firsts, block.first());
    more.add(-at - 1, block);
    return new BlockIndex(more);
  }

  BlockIndex without(FileBlock block) {
    List<FileBlock> fewer = new ArrayList<>(List.of(blocks));
    fewer.remove(block);
    return new BlockIndex(fewer);
  }
}
