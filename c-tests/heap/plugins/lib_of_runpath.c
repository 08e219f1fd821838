/*
 * A plugin that only a RUNPATH finds: it lies in a folder of its own.
 */
int of_runpath(void)
{
    return 4711;
}
