package io.twostep.backend.swiotlb.pool;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import org.junit.jupiter.api.Test;

class SpinLockTest {
  /** Bytes of a pair of cache lines, which processors fetch together. */
  private static final long PAIR = 128;

  /** The virtual machine puts fields where it likes, in gaps of superclasses too; so this asks it. */
  @Test
  void otherObjectsAreKeptOffTheLock() throws ReflectiveOperationException {
    long lock = offset(SpinLockWord.class.getDeclaredField("locked"));
    long end = lock;
    for (Field field : SpinLock.class.getDeclaredFields()) {
      end = Modifier.isStatic(field.getModifiers()) ? end : Math.max(end, offset(field) + Long.BYTES);
    }
    assertThat(lock).as("bytes before it").isGreaterThanOrEqualTo(PAIR);
    assertThat(end - lock).as("bytes from it on").isGreaterThanOrEqualTo(PAIR - Long.BYTES);
  }

  private static long offset(Field field) throws ReflectiveOperationException {
    Class<?> type = Class.forName("sun.misc.Unsafe");
    Field instance = type.getDeclaredField("theUnsafe");
    instance.setAccessible(true);
    return (long) type.getMethod("objectFieldOffset", Field.class).invoke(instance.get(null), field);
  }
}
