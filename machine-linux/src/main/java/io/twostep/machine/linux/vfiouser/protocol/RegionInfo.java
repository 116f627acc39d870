package io.twostep.machine.linux.vfiouser.protocol;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * What a region is; command and reply of DEVICE_GET_REGION_INFO.
 *
 * <pre>
 *    0 u32 argsz    4 u32 flags   8 u32 index   12 u32 offset of the first capability
 *   16 u64 size    24 u64 offset in the descriptor that comes along
 *   capability: 0 u16 id   2 u16 version   4 u32 offset of the next, 0 ends
 *   sparse areas (id 1):   8 u32 areas   12 u32 reserved   16 {u64 offset, u64 size} each
 * </pre>
 *
 * @param flags {@link #READ}, {@link #WRITE}, {@link #MAP}; whether capabilities follow is worked out
 * @param index the region
 * @param size bytes; 0 for a region that does not exist
 * @param offset what lies at this offset of the descriptor is byte 0 of the region
 * @param areas the parts that can be mapped; empty for the whole region, if it has {@link #MAP}
 */
public record RegionInfo(int flags, int index, long size, long offset, List<Area> areas) {
  /** Bytes of the structure without capabilities. */
  public static final int SIZE = 32;

  /** The region can be read. */
  public static final int READ = 1;

  /** The region can be written. */
  public static final int WRITE = 2;

  /** The region, or its areas, can be mapped. */
  public static final int MAP = 4;

  private static final int CAPABILITIES = 8;
  private static final int SPARSE_AREAS = 1;
  private static final int SPARSE_SIZE = 16;
  private static final int AREA_SIZE = 16;

  /** Copy the list. */
  public RegionInfo {
    areas = List.copyOf(areas);
  }

  /**
   * A part of a region.
   *
   * @param offset first byte in the region
   * @param size bytes
   */
  public record Area(long offset, long size) {}

  /** Describe a region that does not exist. */
  public static RegionInfo none(int index) {
    return new RegionInfo(0, index, 0, 0, List.of());
  }

  /** Return the same region as one that can only be reached by message. */
  public RegionInfo withoutMap() {
    return new RegionInfo(flags & ~MAP, index, size, 0, List.of());
  }

  /**
   * Read the index that a command asks for.
   *
   * @throws ProtocolException if the structure is too short
   */
  public static int readIndex(MemorySegment payload) {
    Payload.requireArgumentSize("DEVICE_GET_REGION_INFO", payload, SIZE);
    return Bytes.u32(payload, 8);
  }

  /** Return the room that a command leaves for its reply, bytes. */
  public static long room(MemorySegment payload) {
    return Integer.toUnsignedLong(Bytes.u32(payload, 0));
  }

  /** Write the command that asks for a region, with room for {@code room} bytes of reply. */
  public static void writeCommand(MemorySegment to, int index, int room) {
    to.asSlice(0, SIZE).fill((byte) 0);
    Bytes.u32(to, 0, room);
    Bytes.u32(to, 8, index);
  }

  /**
   * Read a reply.
   *
   * @throws ProtocolException if a length or offset leads out of the reply, or an area out of the region
   */
  public static RegionInfo read(MemorySegment payload) {
    Payload.requireArgumentSize("reply to DEVICE_GET_REGION_INFO", payload, SIZE);
    int flags = Bytes.u32(payload, 4);
    long size = Bytes.u64(payload, 16);
    int index = Bytes.u32(payload, 8);
    if (size < 0) {
      throw new ProtocolException("region %d of 0x%x bytes: no region is that large".formatted(index, size));
    }
    List<Area> areas = (flags & CAPABILITIES) != 0 ? areas(payload, index, size) : List.of();
    return new RegionInfo(flags & ~CAPABILITIES, index, size, Bytes.u64(payload, 24), areas);
  }

  private static List<Area> areas(MemorySegment payload, int index, long size) {
    List<Area> areas = new ArrayList<>();
    long at = Integer.toUnsignedLong(Bytes.u32(payload, 12));
    while (at != 0) {
      requireInside(payload, index, at, SPARSE_SIZE / 2);
      if (Bytes.u16(payload, at) == SPARSE_AREAS) {
        requireInside(payload, index, at, SPARSE_SIZE);
        long count = Integer.toUnsignedLong(Bytes.u32(payload, at + 8));
        requireInside(payload, index, at, SPARSE_SIZE + count * AREA_SIZE);
        for (long i = 0; i < count; i++) {
          areas.add(area(payload, at + SPARSE_SIZE + i * AREA_SIZE, index, size));
        }
      }
      long next = Integer.toUnsignedLong(Bytes.u32(payload, at + 4));
      if (next != 0 && next <= at) {
        throw new ProtocolException("region %d: capability at 0x%x is followed by one at 0x%x, which is no end".formatted(index, at, next));
      }
      at = next;
    }
    return areas;
  }

  private static Area area(MemorySegment payload, long at, int index, long size) {
    Area area = new Area(Bytes.u64(payload, at), Bytes.u64(payload, at + 8));
    if (area.size <= 0 || area.offset < 0 || area.offset > size - area.size) {
      throw new ProtocolException(
          "region %d: area 0x%x+0x%x lies outside its 0x%x bytes".formatted(index, area.offset, area.size, size));
    }
    return area;
  }

  private static void requireInside(MemorySegment payload, int index, long at, long bytes) {
    if (at < SIZE || at + bytes > payload.byteSize()) {
      throw new ProtocolException(
          "region %d: capability at 0x%x+0x%x lies outside the reply's 0x%x bytes".formatted(index, at, bytes, payload.byteSize()));
    }
  }

  /** Return the bytes of the reply with its capabilities. */
  public int replySize() {
    return areas.isEmpty() ? SIZE : SIZE + SPARSE_SIZE + areas.size() * AREA_SIZE;
  }

  /**
   * Write the reply: whole, or without capabilities but with the size that they need, if there is no room for them.
   *
   * @param room bytes that the client takes
   * @return bytes written
   */
  public int write(MemorySegment to, long room) {
    boolean whole = !areas.isEmpty() && room >= replySize();
    Bytes.u32(to, 0, replySize());
    Bytes.u32(to, 4, flags | (areas.isEmpty() ? 0 : CAPABILITIES));
    Bytes.u32(to, 8, index);
    Bytes.u32(to, 12, whole ? SIZE : 0);
    Bytes.u64(to, 16, size);
    Bytes.u64(to, 24, offset);
    if (!whole) {
      return SIZE;
    }
    Bytes.u16(to, SIZE, SPARSE_AREAS);
    Bytes.u16(to, SIZE + 2, 1);
    Bytes.u32(to, SIZE + 4, 0);
    Bytes.u32(to, SIZE + 8, areas.size());
    Bytes.u32(to, SIZE + 12, 0);
    for (int i = 0; i < areas.size(); i++) {
      Bytes.u64(to, SIZE + SPARSE_SIZE + (long) i * AREA_SIZE, areas.get(i).offset);
      Bytes.u64(to, SIZE + SPARSE_SIZE + (long) i * AREA_SIZE + 8, areas.get(i).size);
    }
    return replySize();
  }
}
