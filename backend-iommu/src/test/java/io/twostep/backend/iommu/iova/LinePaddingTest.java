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
    assertThat(first(SpinLockWord.class)).as("bytes before it").isGreaterThanOrEqualTo(PAIR);
    assertThat(end(SpinLock.class) - first(SpinLockWord.class)).as("bytes from it on").isGreaterThanOrEqualTo(PAIR - Long.BYTES);
  }

  @Test
  void whatThreadsKeepIsKeptOffEachOther() throws ReflectiveOperationException {
    assertThat(end(KeptRange.class) - end(KeptRangeFields.class)).as("bytes behind it").isGreaterThanOrEqualTo(PAIR - Long.BYTES);
  }

  private static long first(Class<?> type) throws ReflectiveOperationException {
    long first = Long.MAX_VALUE;
    for (Field field : type.getDeclaredFields()) {
      first = Math.min(first, offset(field));
    }
    return first;
  }

  /** Return where the fields of a class end, or a little before: each has a byte at least. */
  private static long end(Class<?> type) throws ReflectiveOperationException {
    long end = 0;
    for (Field field : type.getDeclaredFields()) {
      end = Modifier.isStatic(field.getModifiers()) ? end : Math.max(end, offset(field) + (field.getType() == long.class ? Long.BYTES : 1));
    }
    return end;
  }

  private static long offset(Field field) throws ReflectiveOperationException {
    Class<?> type = Class.forName("sun.misc.Unsafe");
    Field instance = type.getDeclaredField("theUnsafe");
    instance.setAccessible(true);
    return (long) type.getMethod("objectFieldOffset", Field.class).invoke(instance.get(null), field);
  }
}
