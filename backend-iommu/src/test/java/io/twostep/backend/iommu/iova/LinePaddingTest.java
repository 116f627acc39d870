package io.twostep.backend.iommu.iova;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import org.junit.jupiter.api.Test;

/** The virtual machine puts fields where it likes, in gaps of superclasses too; so this asks it. */
class LinePaddingTest {
  /** Bytes of a pair of cache lines, which processors fetch together. */
  private static final long PAIR = 128;

  @Test
  void otherObjectsAreKeptOffTheLock() throws ReflectiveOperationException {
    requireApart(SpinLockWord.class, SpinLock.class);
  }

  @Test
  void otherObjectsAreKeptOffWhatAThreadKeeps() throws ReflectiveOperationException {
    requireApart(KeptRangeFields.class, KeptRange.class);
  }

  /** Check that a pair of lines lies before the fields of a class, and one from the first of them to the end of the padding behind them. */
  private static void requireApart(Class<?> guarded, Class<?> padding) throws ReflectiveOperationException {
    long first = Long.MAX_VALUE;
    long end = 0;
    for (Field field : guarded.getDeclaredFields()) {
      first = Math.min(first, offset(field));
    }
    for (Field field : padding.getDeclaredFields()) {
      end = Modifier.isStatic(field.getModifiers()) ? end : Math.max(end, offset(field) + Integer.BYTES);
    }
    assertThat(first).as("bytes before it").isGreaterThanOrEqualTo(PAIR);
    assertThat(end - first).as("bytes from it on").isGreaterThanOrEqualTo(PAIR - Long.BYTES);
  }

  private static long offset(Field field) throws ReflectiveOperationException {
    Class<?> type = Class.forName("sun.misc.Unsafe");
    Field instance = type.getDeclaredField("theUnsafe");
    instance.setAccessible(true);
    return (long) type.getMethod("objectFieldOffset", Field.class).invoke(instance.get(null), field);
  }
}
