def verify(traj, env_info, task_info):
    return {"passed": False, "score": 0, "feedback": "x" * (1 << 28), **{"passed%d" % n: True for n in range(100000)}}
