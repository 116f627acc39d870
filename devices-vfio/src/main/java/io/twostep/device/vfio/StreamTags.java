package io.twostep.device.vfio;

/** Tags of a device's own stream; the numbers of the first two are those that mlx5 devices use. */
final class StreamTags {
  /** A part of an image: image u32, bytes of it u32, offset u32, 0 u32, then the bytes. */
  static final int IMAGE_PART = 0;

  /** Optional: bytes that the whole state takes at most, u64; the first record, so that a reader can set memory aside. */
  static final int SIZE_ESTIMATE = 1;

  /** Bytes before those of the image in a part. */
  static final int PART_HEADER = 16;

  /** Most bytes of the image in a part. */
  static final int PART = 64 << 10;

  private StreamTags() {}
}
